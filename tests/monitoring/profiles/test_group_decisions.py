"""Decisions of audited groups are counted once each, by the names that the fairness checks of training use."""

from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from configs.dataset import Audit
from monitoring.profiles.profiler import catch_up
from monitoring.records.audits import group_finder, read_audits, write_audits
from monitoring.records.proof.chain import Event, append
from monitoring.records.proof.seal_keys import SealKeys
from monitoring.records.segments import read, segments
from monitoring.status import profiled
from serving.metrics import profiler_metrics
from train.evaluation.fairness import audit_groups

AGE = Audit(column="age_years", edges=(25, 60))
SEX = Audit(column="sex", groups={'the "f"': ("female",), "m": ("male",)})


@pytest.mark.parametrize(
    ("audit", "values"), [(AGE, [18, 24.9, 25, 59, 60, 99, None, float("nan")]), (SEX, ["female", "male", "?", None])]
)
def test_groups_have_the_names_that_training_gives_them(audit, values):
    assert [group_finder(audit)(value) for value in values] == audit_groups(audit, values).tolist()


def test_every_row_is_counted_once_over_several_commits(tmp_path, log, rows):
    write_audits(tmp_path, "m:1", (AGE, SEX))
    for first in (0, 100):
        log.append("m:1", rows(100, first))
        assert catch_up(tmp_path, 3600, 64)
    logged = [row for segment in segments(tmp_path) for batch, _ in read(segment) for row in batch.rows]
    expected: Counter[tuple[str, str, str]] = Counter()
    for audit in (AGE, SEX):
        groups = audit_groups(audit, [row.applicant.get(audit.column) for row in logged])
        expected.update((audit.column, group, row.decision) for group, row in zip(groups, logged, strict=True) if group)
    assert {tuple(count)[1:]: number for count, number in profiled(tmp_path).groups.items()} == expected
    shown = {
        (labels["column"], labels["group"], labels["decision"]): sample.value
        for family in text_string_to_metric_families(profiler_metrics(tmp_path))
        for sample in family.samples
        if "group" in (labels := sample.labels)
    }
    assert shown == expected


def test_a_model_without_audits_is_profiled_all_the_same(tmp_path, log, rows):
    log.append("m:2", rows(10))
    assert catch_up(tmp_path, 3600, 64)
    assert profiled(tmp_path) == (10, {})


def test_audits_that_cannot_be_kept_or_read_are_none(tmp_path, caplog):
    (tmp_path / "audits").touch()
    write_audits(tmp_path, "m:1", (AGE,))
    assert "not counted by group" in caplog.text
    assert read_audits(tmp_path, "m:1") == ()


def test_the_anchor_is_a_label_whatever_the_chain_says(tmp_path):
    (tmp_path / "chain.log").write_bytes(b'{"entry":{},"signed_by":"a\\"b\\nc","signature":""}\n')
    append(tmp_path, Event(event="retired"), SealKeys())
    content = (tmp_path / "chain.log").read_bytes().replace(b'"signed_by":""', b'"signed_by":"a\\"b\\nc"')
    (tmp_path / "chain.log").write_bytes(content)
    families = {one.name: one for one in text_string_to_metric_families(profiler_metrics(tmp_path))}
    [sample] = families["scorer_log_anchor"].samples
    assert sample.labels["signed_by"] == 'a"b\nc'
