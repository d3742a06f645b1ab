"""Tables and scores in a bucket, of moto's server over loopback."""

import json
from contextlib import contextmanager

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.artifact import Artifact
from tests.batch.conftest import Batch

ROWS = 60


@pytest.fixture(scope="module")
def bucket():
    """A bucket, and the variables by which it is reached."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "scorer", "AWS_SECRET_ACCESS_KEY": "sesame", "AWS_DEFAULT_REGION": "us-east-1"}
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="scorer",
        aws_secret_access_key="sesame",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="loans")
    yield client, keys | {"SCORER_S3_ENDPOINT": f"http://{host}:{port}"}
    client.close()
    server.stop()


@contextmanager
def told_nobody(done):
    """Credentials are in no output."""
    yield
    assert "sesame" not in done.stdout + done.stderr


def test_a_folder_of_a_bucket_is_scored_into_the_bucket_and_resumed(bucket, policy_model, tmp_path):
    client, variables = bucket
    example = Artifact(policy_model.folder, retrain="make train").manifest.example
    rows = [example | {"alter": 17 if row == 7 else 18 + row, "balance": float(row)} for row in range(ROWS)]
    for number, start in enumerate(range(0, ROWS, 20)):
        local = tmp_path / f"{number}.parquet"
        pq.write_table(pa.Table.from_pylist(rows[start : start + 20]), local, row_group_size=10)
        client.upload_file(str(local), "loans", f"new/{number}.parquet")
    batch = Batch(policy_model, tmp_path)
    arguments = ("s3://loans/new/*.parquet", "s3://loans/scores", "--part-rows", "10", "--processes", "1", "--json")
    done = batch.run(*arguments, **variables)
    with told_nobody(done):
        assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["refused"], told["out"]) == (ROWS - 1, 1, "s3://loans/scores")
    names = [one["Key"] for one in client.list_objects_v2(Bucket="loans", Prefix="scores/")["Contents"]]
    parts = [name for name in names if name.startswith("scores/part-")]
    assert len(parts) == 6
    found = {}
    for part in parts:
        content = client.get_object(Bucket="loans", Key=part)["Body"].read()
        found |= {row["row"]: row["application_id"] for row in pq.read_table(pa.BufferReader(content)).to_pylist()}
    assert sorted(found) == [row for row in range(ROWS) if row != 7]
    client.delete_object(Bucket="loans", Key=parts[3])  # as if it had been killed before
    again = batch.run(*arguments, **variables)
    assert json.loads(again.stdout)["resumed"] == ROWS - 10
    content = client.get_object(Bucket="loans", Key=parts[3])["Body"].read()
    made = {row["row"]: row["application_id"] for row in pq.read_table(pa.BufferReader(content)).to_pylist()}
    assert made == {row: found[row] for row in made}
    assert len(made) == 10
    client.put_object(Bucket="loans", Key="new/1.parquet", Body=b"other")
    changed = batch.run(*arguments, **variables)
    assert changed.returncode == 1
    assert "new/1.parquet" in changed.stderr


def test_a_bucket_that_does_not_answer_is_told(bucket, policy_model, tmp_path):
    _, variables = bucket
    nowhere = variables | {"SCORER_S3_ENDPOINT": "http://127.0.0.1:9", "SCORER_S3_TIMEOUT_S": "1"}
    done = Batch(policy_model, tmp_path).run("s3://loans/new", tmp_path / "out", **nowhere)
    with told_nobody(done):
        assert (done.returncode, done.stdout) == (1, "")
    assert "error: s3://loans/new: cannot be looked at" in done.stderr
