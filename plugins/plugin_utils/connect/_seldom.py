# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions that an audit of a plain host never calls, so that a host compiles each when it is called first.

Private to this collection. Runs on the control node. By source; of a class ``Class.function``. What is not here is
compiled at once, what is here and called all the same costs as much as it would have. So this list is about time alone:
it need not be whole, and is measured by what audits of plain hosts call (``tests/unit/test_carrier.py``).
"""

from __future__ import annotations

SELDOM = {
    "_answer": "telemetry_flag telemetry_prove analytics_events_info connectivity_probe _add_events",
    "host._child": "unlimited_memory _where _ending",
    "host._file_systems": "_asked _tried",
    "host._files": "owner_and_mode HostFiles.anew HostFiles.folder_below HostFiles.is_refused",
    "host._limits": "more write",
    "host._records": "folder_name edited_at _is_there",
    "java._archive": "wide_entry",
    "java._jvm": "is_variable switch_of split_argfile",
    "java._operations_center": "_shown _item controllers _Walk.__init__ _Walk.full _Walk.folder _Walk.item",
    "java._toggle": (
        "may_name_it _member place_of declared_in _looked_into _edited _since _Sources.text _Sources.take "
        "_Sources._of_folder _Sources.take_text _Sources.take_bundle"
    ),
    "java._tomcat": "base_of wars _contexts _without_comments _document_bases",
    "java._yaml": (
        "Reader.__init__ Reader.document Reader.is_mark Reader.column Reader.skip Reader.rest_is_empty "
        "Reader.node Reader.key_here Reader.mapping Reader.sequence Reader.value Reader.scalar Reader.odd "
        "Reader.quoted Reader.unescaped Reader.block Reader.plain Reader.blank Reader.flow Reader.flow_value"
    ),
    "launch._declarations": "_circumstances _assigned_in_unit _why_dead",
    "launch._definition": "script_words",
    "launch._discovery": (
        "_script_text _not_followed _names_a_product _runs_program _runs_binary _may_be_ours "
        "_is_started_by_one _to_be_said _starts_the_same _wanting"
    ),
    "launch._environment": "environment_generators",
    "launch._live": "same_vectors",
    "launch._outcome": (
        "_with_argument_files _word_origin _beside _inside _of_variable judged_again _hidden _served _default_home"
    ),
    "launch._service_files": (
        "_moved _source SeenFiles._outer SeenFiles._is_roots SeenFiles.open SeenFiles._listed "
        "SeenFiles._opened SeenFiles._without_links"
    ),
    "launch._service_manager": "_unescape _flags bare",
    "launch._specifiers": "Specifiers._host_name",
    "launch._systemd": "UnitFiles.wanted_instances",
    "launch._unit": "overlaid written_before _is_foreign",
    "launch._unit_syntax": "_character",
    "launch.starters._boot": "Boot.is_started_by_unit",
    "launch.starters._containers": "of_product",
    "launch.starters._starter": "Starter.again",
    "launch.starters._supervisord": "Supervisord._programs Supervisord.unread",
    "launch.starters._systemd": "_text Systemd.again",
    "launch.starters._user_units": "UserUnits._of",
    "running._attach": "_with_threads _run_jcmd _wake _trigger _Trace.__init__ _Trace.remove",
    "running._facts": "_variable _default_home",
    "running._proc": "read_for began",
    "running._processes": "look _hidden",
    "running._scan": (
        "_is_roots_java _exe _class_path _held _open_files _manifest _may_be_an_archive _first_manifest _is_product"
    ),
    "running._threads": "count",
    "shell._arithmetic": (
        "value_of _Calculation.whole _Calculation._comparison _Calculation._sum _Calculation._product "
        "_Calculation._single"
    ),
    "shell._builtins": (
        "_words_of Builtins._let Builtins._pushd Builtins._command_builtin Builtins._is_command "
        "Builtins._shift Builtins._read Builtins._all Builtins._mapfile Builtins._line Builtins._opaque "
        "Builtins._printf Builtins._getopts Builtins._alias Builtins._trap Builtins._shopt"
    ),
    "shell._flow": (
        "Flow._forget Flow._run_pipeline Flow._run_arithmetic Flow._havoc Flow._assigned Flow._run_unclear "
        "Flow._run_while Flow._run_condition Flow._condition_any Flow._condition_all Flow._condition_one "
        "Flow._condition_term"
    ),
    "shell._login": "_value",
    "shell._nodes": "everything_inside",
    "shell._output": (
        "_set_of _regex Output.overhear Output._given Output._file_given Output._cd_for Output._pwd "
        "Output._readlink Output._realpath Output._followed_links Output._link_followed Output._xargs "
        "Output._echoed Output._tr Output._lines Output._held Output._grep Output._sed Output._edited "
        "Output._some_lines Output._cut Output._paste Output._rewritten Output._run_parts Output._pure"
    ),
    "shell._parser": "Parser._here_documents Parser._condition Parser._ansi_c Parser._backticks",
    "shell._patterns": "matches_regex regex_ends_soon strip_match",
    "shell._walk": (
        "_own_words Shell._keeps Shell._opens Shell._handed_on_by Shell._refuse_settings Shell._read_environment_folder"
    ),
    "shell._words": "Words._assign_element Words._joint Words._braces Words.calculated Words._changed",
    "survey._document": "_declaration",
    "survey._survey": "_no_installation _says_so _is_agent_of _belongs_to _stray Survey.named",
    "text._characters": "Value.number_at",
    "text._pattern": "_bracket",
    "text._value": "Unresolvable.__str__",
}
