# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotation of a SageMaker endpoint: read, plan, apply, prove.

- ``validate`` refuses what need not reach AWS; ``spec`` is what is wanted, ``state`` what is there.
- ``naming`` gives content-addressed names, ``outcome`` what a generation's tags remember.
- ``plan`` decides, with ``retention`` (what may be collected), ``absent`` and ``changes`` (why something is new);
  ``steps`` are what it decides on, with their sentences. All of that is pure.
- ``read`` is one look at AWS, ``apply`` one pass over the steps, ``passes`` both together, ``wait`` passes until
  nothing is pending.
- ``client`` is the one place that calls SageMaker, ``errors`` its errors, ``logs`` and ``artifact`` the two services
  beside it; ``session`` connects them to a module, ``arguments`` and ``result`` are what goes in and what comes out.
"""
