# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call what, where the cloud was started to enforce it.

ministack enforces policies for its own services. Here are the same for ours, and what ministack leaves out of its own.
"""
