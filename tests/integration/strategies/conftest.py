"""Databases for the strategies that need one."""

from collections.abc import Iterator

import psycopg
import pytest

from strategies.postgres_server import PostgresNotFound, PostgresServer, find_programs, postgres_server
from tests.conftest import IN_CI


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server. A test that stops it starts it again."""
    try:
        find_programs()
    except PostgresNotFound as error:
        if IN_CI:
            pytest.fail(str(error))
        pytest.skip(str(error))
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The URL of an empty database of the server."""
    with psycopg.connect(postgres.url) as connection:
        connection.execute("DROP TABLE IF EXISTS summaries, outbox, effects")
    return postgres.url


@pytest.fixture
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of an empty database in a file."""
    return f"sqlite:///{tmp_path_factory.mktemp('database')}/summaries.sqlite3"


@pytest.fixture(params=["sqlite_url", "postgres_url"], ids=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, of each kind."""
    url: str = request.getfixturevalue(request.param)
    return url
