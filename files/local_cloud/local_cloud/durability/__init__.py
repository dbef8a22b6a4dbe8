# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that was acknowledged is lost, however the cloud ends.

What our services remember is in SQLite before a call is answered. ministack keeps its services' state in memory and
writes it when it is stopped; here a call that changes something is answered after the state of the service it went to
has been written.
"""
