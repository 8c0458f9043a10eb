import pytest

from tests.ceph import s3_server as started_s3_server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    with started_s3_server(tmp_path_factory.mktemp("ceph")) as server:
        yield server


@pytest.fixture(scope="session")
def bucket(s3_server):
    return s3_server.make_bucket()
