# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds where a stage's settings are written and has them checked. The module of the same name documents it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage import settings as stage_settings


class ActionModule(ActionBase):
    """Runs on the controller, because only there is it known which file a value came from."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _result, arguments = self.validate_argument_spec(argument_spec={"settings": {"type": "dict"}})
        options = stage_settings.all_options()
        if arguments["settings"] is not None:
            sources: dict[str, stage_settings.Source] = {}
            written = list(arguments["settings"])
            values = dict(arguments["settings"])
        else:
            sources = self._sources(task_vars)
            written = list(sources)
            values = self._effective_values(options, task_vars)
        findings = stage_settings.unknown_keys(written, options) + stage_settings.check(values, options)
        problems = [stage_settings.explain(finding, sources.get(finding.key)) for finding in findings]
        if not problems:
            hints = stage_settings.hints(values, options)
            return {
                "changed": False,
                "warnings": [stage_settings.explain(hint, sources.get(hint.key)) for hint in hints],
            }
        count = "One setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        return {
            "failed": True,
            "msg": "\n".join([f"{count} wrong. Nothing was changed.", *(f"  {problem}" for problem in problems)]),
        }

    def _effective_values(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        return {key: self._templar.template(task_vars[key]) for key in options if key in task_vars}

    def _sources(self, task_vars: dict[str, Any]) -> dict[str, stage_settings.Source]:
        """Where each top-level key is written, the strongest place last, as Ansible ranks them."""
        sources: dict[str, stage_settings.Source] = {}
        project = Path(self._loader.get_basedir())
        candidates: list[Path] = []
        for base in (project, Path(task_vars["inventory_dir"])):
            for kind in ("group_vars", "host_vars"):
                candidates += sorted(
                    path for path in (base / kind).rglob("*") if path.suffix in (".yml", ".yaml", ".json")
                )
        for path in candidates:
            for key, line in self._keys_of(path).items():
                sources[key] = stage_settings.Source(os.path.relpath(path.resolve()), line)
        for key in load_extra_vars(self._loader):
            sources[key] = stage_settings.Source("-e on the command line")
        if "inventory_dir" in task_vars:
            sources.setdefault("stage_name", stage_settings.Source(os.path.relpath(task_vars["inventory_dir"])))
        return sources

    def _keys_of(self, path: Path) -> dict[str, int]:
        """The top-level keys of a variables file and their lines; an encrypted file is decrypted as Ansible would."""
        text = self._loader.get_text_file_contents(str(path))
        try:
            document = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise AnsibleError(f"{path} cannot be read as YAML: {error}") from error
        if not isinstance(document, yaml.MappingNode):
            return {}
        return {key.value: key.start_mark.line + 1 for key, _value in document.value}
