"""What one compromised host answers changes nothing for anybody else."""

from __future__ import annotations

from attacker import Site

LIE = '{"changed": false, "installations": 5}'


def test_an_answer_of_another_shape_is_that_hosts_unknown(site: Site) -> None:
    site.compromise("oss", LIE)
    try:
        done = site.play("audit")
    finally:
        site.heal("oss")
    assert done.verdicts()["oss"] == "unknown", done.output
    assert done.verdicts()["deb"] == "violation"
