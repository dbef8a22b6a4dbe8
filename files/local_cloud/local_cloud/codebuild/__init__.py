# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS CodeBuild: projects, and builds that really run their buildspec's commands on this machine."""
