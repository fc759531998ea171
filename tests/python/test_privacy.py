"""Personal data: kept out of the marts, hashed on demand, erased for good."""

import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from random import Random

import duckdb
import pytest
from conftest import CANARIES, PERENNIAL, Build, run_build
from shop import ENTITIES, INPUT, Shop, install_shop, write_all, write_rows

from perennial import erase as erasing
from perennial import keyed_hash
from perennial.faults import Fault, UsageFault
from perennial.project import Project

pytestmark = pytest.mark.privacy

KEY = "canary key 8f1d27ac5b"
ANOTHER_KEY = "another key 2c9e4b7d1a"
PERSON = "customer 17"
MAIL = "someone17@example.com"
BROKEN_LINE = 'order 9001,customer 17,"2024-02-02 10:00:00'

#: Models without their tests: what is tested here is looked at from outside.
MODELS = ("--resource-type", "model", "--resource-type", "seed")


def with_key(key: str = KEY) -> dict[str, str]:
    return {keyed_hash.KEY_VARIABLE: key}


def expected_hash(kind: str, text: str, key: str = KEY) -> str:
    """The hash again, from its definition."""
    content = f"{len(kind)} {kind} {text}".encode()
    return hmac.new(key.encode(), content, hashlib.sha256).hexdigest()[:32]


class PrivateShop(Shop):
    """The shop, opened as perennial opens it: its views may need the hash."""

    @property
    def file(self):
        return self.home / "shop.duckdb"

    def open(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(str(self.file), read_only=True)
        keyed_hash.register(connection)
        return connection

    def rows(self, query: str, *parameters) -> list[tuple]:
        with self.open() as connection:
            return connection.execute(query, parameters).fetchall()

    def erase(
        self, *arguments: str, key: str | None = KEY, answer: str = ""
    ) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PERENNIAL_HOME": str(self.home)}
        return subprocess.run(
            [PERENNIAL, "erase", *arguments, "--file", str(self.file)],
            cwd=self.installed,
            env={**environment, **(with_key(key) if key else {})},
            input=answer,
            capture_output=True,
            text=True,
        )

    @property
    def project(self) -> Project:
        return Project(self.installed, self.home, "shop", self.file)

    def copy(self, home) -> "PrivateShop":
        shutil.copytree(self.home, home, ignore=shutil.ignore_patterns("files"))
        return PrivateShop(self.installed, home, self.files)

    def digests(self, schema: str) -> dict[str, tuple]:
        names = self.rows(
            "select table_name from duckdb_tables() where schema_name = ?", schema
        )
        return {
            name: self.rows(
                f'select bit_xor(hash(t)), count(*) from {schema}."{name}" t'
            )
            for (name,) in names
        }


def texts(build: Build | Shop, condition: str, contained: str) -> dict[str, set[str]]:
    """Values that contain a text, of each column of the tables and views."""
    with build.open() as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            f"where not internal and {condition}"
        ).fetchall()
        found = {
            f"{schema}.{table}.{column}": connection.execute(
                f'select distinct cast("{column}" as varchar) as text '
                f'from {schema}."{table}" where contains(text, ?)',
                [contained],
            ).fetchall()
            for schema, table, column in columns
        }
    return {name: {text for (text,) in rows} for name, rows in found.items() if rows}


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> PrivateShop:
    """All six domains, built to the marts; everybody has an e-mail address."""
    root = tmp_path_factory.mktemp("private")
    shop = PrivateShop(install_shop(root / "project"), root / "home")
    write_all(shop.files)
    with open(shop.files / "orders" / "orders_00000.csv", "a") as orders:
        orders.write(f"order 9000,{PERSON}\n{BROKEN_LINE}\n")
    built = shop.build(*MODELS)
    assert built.exit_code == 0, built.output
    return shop


@pytest.fixture(scope="module")
def manifest(shop) -> dict:
    return json.loads((shop.home / "target" / "manifest.json").read_text())


# --- no mart shows personal data ------------------------------------------------------


def personal_columns(manifest: dict) -> set[str]:
    return {
        name.lower()
        for node in [*manifest["nodes"].values(), *manifest["sources"].values()]
        for name, column in node.get("columns", {}).items()
        if (column.get("config") or {}).get("meta", {}).get("pii")
        or (column.get("meta") or {}).get("pii")
    }


def marts_and_their_ancestors(manifest: dict) -> dict[str, dict]:
    waiting = [
        key
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["config"]["schema"] == "marts"
    ]
    found = {}
    while waiting:
        key = waiting.pop()
        node = manifest["nodes"].get(key)
        if node is None or key in found or node["resource_type"] != "model":
            continue
        if node["name"] == "int_declared_files":  # names columns, and holds no row
            continue
        found[key] = node
        waiting += node["depends_on"]["nodes"]
    return found


def leaks_by_name(manifest: dict) -> list[str]:
    """Marts with a pii column, and models on the way to one that hide theirs.

    A model may mention a pii column if its own .yml declares that column, and a mart
    may not declare one.
    """
    personal = personal_columns(manifest)
    mention = re.compile(rf"\b({'|'.join(personal)})\b", re.IGNORECASE)
    leaks = []
    for node in marts_and_their_ancestors(manifest).values():
        declared = {name.lower() for name in node["columns"]} & personal
        code = re.sub(r"--.*", "", node.get("compiled_code") or node["raw_code"])
        if node["config"]["schema"] == "marts":
            leaks += [node["name"]] * bool(declared or mention.search(code))
        elif mention.search(code) and not declared:
            leaks.append(node["name"])
    return leaks


def leaks_by_value(
    build: Build | PrivateShop, canary: str, schema: str = "marts"
) -> list[str]:
    found = texts(build, f"schema_name = '{schema}'", canary)
    return [name.removeprefix(f"{schema}.") for name in found]


def test_personal_columns_are_known(manifest):
    assert personal_columns(manifest) == {"email"}
    assert personal_columns(manifest) == set(erasing.PERSONAL_COLUMNS)
    assert len(marts_and_their_ancestors(manifest)) > 30


def test_no_column_of_a_mart_is_personal_by_name(manifest):
    assert leaks_by_name(manifest) == []


@pytest.mark.parametrize("name", ["dim_customers", "int_named_customers"])
def test_a_personal_column_on_the_way_to_a_mart_is_found(manifest, name):
    """Planted: one model selects the e-mail address under another name."""
    node = manifest["nodes"][f"model.perennial.{name}"]
    planted = node | {"compiled_code": node["compiled_code"] + "\n, email as contact"}
    nodes = manifest["nodes"] | {node["unique_id"]: planted}
    assert leaks_by_name(manifest | {"nodes": nodes}) == [name]


def test_no_value_of_a_mart_is_personal(shop):
    # the canary is there to be found
    assert leaks_by_value(shop, "@example.com", "input") == ["input_customers.email"]
    assert leaks_by_value(shop, "@example.com") == []


def test_a_personal_value_in_a_mart_is_found(shop, tmp_path):
    """Planted: a mart that carries the address along under another name."""
    planted = shop.copy(tmp_path / "home")
    with duckdb.connect(str(planted.file)) as connection:
        connection.execute(
            "create view marts.contacts as select email as contact "
            "from input.input_customers"
        )
    assert leaks_by_value(planted, "@example.com") == ["contacts.contact"]


def test_no_mart_of_the_demo_company_is_personal(demo):
    assert personal_columns(demo.manifest) == {"email"}
    assert leaks_by_name(demo.manifest) == []
    assert "input_customers.email" in leaks_by_value(demo, "@", "input")
    assert leaks_by_value(demo, "@") == []


def leaks_of_a_file(file: Path, text: str) -> list[str]:
    """Columns of a published file or of a file of history that hold a text."""
    with duckdb.connect() as connection:
        if file.suffix == ".parquet":
            tables = [f"read_parquet('{file}')"]
        else:
            connection.execute(f"attach '{file}' as looked_at (read_only)")
            tables = [
                f'looked_at.{schema}."{name}"'
                for schema, name in connection.execute(
                    "select schema_name, table_name from duckdb_tables()"
                ).fetchall()
            ]
        assert tables
        return [
            f"{table}.{column}"
            for table in tables
            for (column, *_) in connection.execute(
                f"describe select * from {table}"
            ).fetchall()
            if connection.execute(
                f'select 1 from {table} where contains(cast("{column}" as varchar), ?)'
                " limit 1",
                [text],
            ).fetchone()
        ]


def published_files(build: Build) -> list[Path]:
    return [
        *(build.home / "published").rglob("*.duckdb"),
        *(build.home / "history").rglob("*.parquet"),
    ]


def test_nothing_that_is_published_or_kept_is_personal(demo):
    """The published file, its snapshots, and the rows that outlive the working file."""
    files = published_files(demo)
    assert {".duckdb", ".parquet"} == {file.suffix for file in files}
    assert len(files) > 5
    assert {str(f): leaks for f in files if (leaks := leaks_of_a_file(f, "@"))} == {}


def test_a_personal_value_in_a_published_file_is_found(demo, tmp_path):
    """Planted: an address among the rows of history, and one in a published table."""
    kept = tmp_path / "kept.parquet"
    published = shutil.copy(demo.published, tmp_path / "published.duckdb")
    with duckdb.connect(str(published)) as connection:
        connection.execute(
            "alter table marts.dim_customers"
            " add column contact varchar default 'a@example.com'"
        )
        connection.execute(f"copy (select 'b@example.com' as note) to '{kept}'")
    assert leaks_of_a_file(kept, "@") == [f"read_parquet('{kept}').note"]
    (found,) = leaks_of_a_file(published, "@")
    assert found.endswith("contact")


def test_secrets_of_the_environment_are_in_no_file_of_a_build(demo):
    """Nor in what is published, in snapshots, history, the lock or the log of runs."""
    files = [path for path in demo.home.rglob("*") if path.is_file()]
    assert {".duckdb", ".parquet", ".lock", ".json"} <= {path.suffix for path in files}
    for path in files:
        content = path.read_bytes()
        for secret in CANARIES.values():
            assert secret.encode() not in content, path


# --- ids as keyed hashes --------------------------------------------------------------


def id_marts(shop: PrivateShop) -> list[str]:
    """Marts that tell of single customers."""
    rows = shop.rows(
        "select table_name from information_schema.columns "
        "where table_schema = 'marts' and column_name = 'customer_id' order by all"
    )
    return [name for (name,) in rows]


@pytest.fixture(scope="module")
def hashed(shop, tmp_path_factory) -> PrivateShop:
    hashed = shop.copy(tmp_path_factory.mktemp("hashed") / "home")
    selected = ("--select", "files_read", *id_marts(shop))
    settings = {"pseudonymise": True}
    environment = {**with_key(), "DBT_LOG_LEVEL_FILE": "debug"}
    built = hashed.build(*selected, *MODELS, settings=settings, **environment)
    assert built.exit_code == 0, built.output
    return hashed


def test_ids_in_the_marts_are_keyed_hashes(shop, hashed):
    marts = id_marts(shop)
    assert {"dim_customers", "fct_orders", "clv_scores"} < set(marts)
    assert {"churn_scores_daily", "score_reasons", "customer_360"} < set(marts)
    for mart in marts:
        kinds = ["customer", "order"] if mart == "fct_orders" else ["customer"]
        for kind in kinds:
            column = f"{kind}_id"
            told = shop.rows(f"select {column} from marts.{mart} order by all")
            expected = sorted((expected_hash(kind, text),) for (text,) in told)
            found = hashed.rows(f"select {column} from marts.{mart} order by all")
            assert found == expected, (mart, column)
            # of one scored date there is no change, and in the shop nobody is at risk
            if mart not in ("score_changes", "score_reasons"):
                assert len(expected) > 100, mart


def test_no_raw_id_is_left_in_a_mart(hashed):
    """Walks every column, so that a mart which comes later cannot forget the macro."""
    for prefix in ("customer ", "order "):
        assert leaks_by_value(hashed, prefix) == []


def test_another_key_gives_other_ids(monkeypatch):
    told = []
    for key in (KEY, ANOTHER_KEY, KEY):
        monkeypatch.setenv(keyed_hash.KEY_VARIABLE, key)
        told.append(keyed_hash.keyed_hash("customer", "17"))
    assert told[0] == told[2] == expected_hash("customer", "17")
    assert told[1] == expected_hash("customer", "17", ANOTHER_KEY) != told[0]


def test_hashes_of_two_kinds_cannot_be_compared(monkeypatch):
    monkeypatch.setenv(keyed_hash.KEY_VARIABLE, KEY)
    hashes = {keyed_hash.keyed_hash(kind, "17") for kind in keyed_hash.KINDS}
    assert len(hashes) == len(keyed_hash.KINDS)
    assert all(len(text) == 32 for text in hashes)


def test_the_key_is_written_nowhere(shop, hashed):
    """Nor is half of it; dbt's caches and logs are looked at, and the file's bytes."""
    files = [
        path
        for folder in (hashed.home, shop.installed)
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert len(files) > 50
    assert any(path.suffix == ".duckdb" for path in files)
    assert any(path.name == "dbt.log" for path in files)
    for path in files:
        content = path.read_bytes()
        assert KEY.encode() not in content, path
        assert KEY[-10:].encode() not in content, path


def test_nothing_is_hashed_unless_it_is_asked_for(manifest):
    hashing = [
        node["name"]
        for node in marts_and_their_ancestors(manifest).values()
        if "perennial_keyed_hash" in (node.get("compiled_code") or "")
    ]
    assert hashing == []


def test_a_key_that_could_be_guessed_is_none(monkeypatch):
    monkeypatch.setenv(keyed_hash.KEY_VARIABLE, "fifteen letters")
    assert not keyed_hash.has_key()
    assert keyed_hash.key_check() is None
    with pytest.raises(ValueError, match="is not set"):
        keyed_hash.keyed_hash("customer", "17")


def test_without_a_key_nothing_is_published(tmp_path):
    built = run_build(tmp_path, settings={"pseudonymise": True})
    assert built.exit_code == 2
    assert built.errors.splitlines() == [
        "perennial: The key is missing: the setting pseudonymise is on, so the "
        "environment variable DBT_ENV_SECRET_PERENNIAL_KEY must hold a secret of at "
        "least 16 characters."
    ]
    assert built.rows("select 1 from duckdb_tables() where schema_name = 'marts'") == []


def test_without_a_key_the_marts_stay_as_they_were(shop, tmp_path):
    kept = shop.copy(tmp_path / "home")
    before = kept.digests("marts")
    selected = ("--select", "files_read", *id_marts(shop))
    built = kept.build(*selected, *MODELS, settings={"pseudonymise": True})
    assert built.exit_code == 1
    assert "The key is missing" in built.output
    assert "Traceback" not in built.output
    assert kept.digests("marts") == before


# --- erased ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(shop, tmp_path_factory) -> PrivateShop:
    """The shop, with the person in each place that erase is to look at."""
    planted = shop.copy(tmp_path_factory.mktemp("erased") / "home")
    for place in ("target/run", "logs", "build/charts"):
        folder = planted.home / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "of_the_person").write_text(f"where customer_id = '{PERSON}'")
        (folder / "of_the_address").write_text(f"<{MAIL}>")
        (folder / "of_somebody_else").write_text("where customer_id = 'customer 170'")
    return planted


@pytest.fixture(scope="module")
def raw_lines(shop) -> list[str]:
    return [
        line
        for entity in ENTITIES
        for line in (shop.files / entity / f"{entity}_00000.csv")
        .read_text()
        .splitlines()
        if re.search(rf"{PERSON}\b", line)
    ]


@pytest.fixture(scope="module")
def erased(planted, raw_lines) -> tuple[PrivateShop, subprocess.CompletedProcess]:
    assert len(raw_lines) == 25
    assert traces(planted, raw_lines) != []
    return planted, planted.erase(PERSON)


def traces(shop: PrivateShop, lines: list[str]) -> list[str]:
    """Where something of the person is, looked for in another way than erase does."""
    is_stored = "(schema_name, table_name) in (select (schema_name, table_name) "
    is_stored += "from duckdb_tables())"
    found = [
        column
        for column, texts in texts(shop, is_stored, "17").items()
        if any(
            re.search(rf"{PERSON}\b", text) or MAIL in text or text in lines
            for text in texts
        )
    ]
    files = [path for path in shop.home.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        if path.suffix != ".duckdb" and re.search(rb"customer 17\b", content):
            found.append(f"{path.name}: id")
        needles = [MAIL, *lines]
        found += [f"{path.name}: {n}" for n in needles if n.encode() in content]
    return found


def test_a_person_is_erased_and_the_proof_is_told(erased):
    _, finished = erased
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "looked for the ids of 1 persons, " in finished.stdout
    assert "1 e-mail addresses: nothing in " in finished.stdout
    # other ids contain this one, and that is said
    assert "not proved: other values of shop.duckdb contain an id" in finished.stdout


def test_nothing_of_the_person_is_left(erased, raw_lines):
    shop, _ = erased
    assert traces(shop, raw_lines) == []


def test_everybody_else_stays(shop, erased):
    gone, _ = erased
    query = "select * from marts.fct_orders order by order_id"
    kept = [row for row in shop.rows(query) if row[1] != PERSON]
    assert gone.rows(query) == kept
    for place in ("target/run", "logs", "build/charts"):
        assert (gone.home / place / "of_somebody_else").exists()


def test_the_users_own_files_are_named_and_not_changed(shop, erased):
    _, finished = erased
    told = [line for line in finished.stdout.splitlines() if "your own file" in line]
    assert len(told) == len(ENTITIES)
    orders = shop.files / "orders" / "orders_00000.csv"
    assert any(f"{orders} still has 10 lines" in line for line in told)
    assert BROKEN_LINE in orders.read_text()


def test_only_a_keyed_hash_stays(erased):
    shop, _ = erased
    (row,) = shop.rows("select customer_hash, key_check from reading.erasures")
    assert row == (
        expected_hash("erased customer", PERSON),
        expected_hash("key", "check"),
    )


def test_views_over_files_are_made_again_by_the_next_build(erased):
    shop, _ = erased
    views = shop.rows("select view_name from duckdb_views() where not internal")
    assert not {("stg_shop__events",), ("input_events",)} & set(views)
    assert ("input_orders",) in views


def refused(shop: PrivateShop) -> list[tuple]:
    return shop.rows(
        "select entity, sum(source_lines_count), count(source_text) "
        "from input.quarantine where reject_reason = 'erased' group by all order by all"
    )


@pytest.fixture(scope="module")
def rebuilt(erased) -> PrivateShop:
    """Built again with all tests of the input, and a new file, half of it theirs."""
    shop, _ = erased
    whose = f"if(ticket_id = 'ticket 200', '{PERSON}', customer_id)"
    change = f"* replace ({whose} as customer_id)"
    write_rows(shop.files, "tickets", 200, 202, change=change)
    built = shop.build(**with_key())
    assert built.exit_code == 0, built.output
    return shop


#: Lines of each domain in `raw_lines`, and one of the new file.
REFUSED = [
    ("customers", 1, 0),
    ("events", 10, 0),
    ("orders", 10, 0),
    ("subscriptions", 1, 0),
    ("tickets", 2, 0),
    ("touches", 2, 0),
]


def test_rows_of_the_person_are_refused_from_then_on(rebuilt, raw_lines, monkeypatch):
    monkeypatch.setenv(keyed_hash.KEY_VARIABLE, KEY)  # a view over files needs it
    assert refused(rebuilt) == REFUSED
    (others,) = rebuilt.rows("select count(*) from input.input_events")
    assert others == (2990,)
    counted = "select sum(rows_count) from intermediate.int_event_key_counts"
    assert rebuilt.rows(counted) == [(2990,)]
    for entity in ENTITIES:
        assert not rebuilt.rows(
            f"select 1 from input.input_{entity} where customer_id = ?", PERSON
        )
    assert [one for one in traces(rebuilt, raw_lines) if "log" not in one] == []


def test_a_full_refresh_does_not_bring_them_back(rebuilt, raw_lines):
    built = rebuilt.build("--full-refresh", *INPUT, **with_key())
    assert built.exit_code == 0, built.output
    assert refused(rebuilt) == REFUSED
    assert rebuilt.rows("select count(*) from reading.erasures") == [(1,)]
    assert traces(rebuilt, raw_lines) == []


@pytest.mark.parametrize(
    "key, told",
    [(None, "The key is missing: persons were erased here"), (ANOTHER_KEY, "another")],
)
def test_a_build_without_their_key_does_not_let_them_in(rebuilt, key, told):
    built = rebuilt.build("--select", "files_read", **(with_key(key) if key else {}))
    assert built.exit_code == 1
    assert told in built.output
    assert "Traceback" not in built.output
    assert refused(rebuilt) == REFUSED


# --- what erase refuses, and what it finds left ---------------------------------------


def test_without_a_key_nobody_is_erased(shop):
    finished = shop.erase(PERSON, key=None)
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert "Set DBT_ENV_SECRET_PERENNIAL_KEY to a secret of at least 16" in line


def test_an_unknown_customer_is_told_in_one_line(shop):
    finished = shop.erase("customer 17' or true --")
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert "There is no customer" in line
    assert shop.rows("select count(*) from reading.erasures") == [(0,)]


@pytest.fixture
def here(shop, tmp_path, monkeypatch) -> PrivateShop:
    """A copy to erase from in this process."""
    monkeypatch.setenv(keyed_hash.KEY_VARIABLE, KEY)
    return shop.copy(tmp_path / "home")


def test_an_interrupted_erasure_is_taken_up_again(here, raw_lines, monkeypatch):
    """The rows are gone, and the file is not rewritten yet."""

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(erasing.os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            erasing.erase(here.project, [PERSON])
    erasing.erase(here.project, [PERSON])
    assert traces(here, raw_lines) == []
    assert here.rows("select count(*) from reading.erasures") == [(1,)]
    with (
        monkeypatch.context() as patched,
        pytest.raises(UsageFault, match="another one"),
    ):
        patched.setenv(keyed_hash.KEY_VARIABLE, ANOTHER_KEY)
        erasing.erase(here.project, ["customer 18"])


@pytest.mark.parametrize(
    "fault",
    [
        f"create table main.notes as select 'mail {MAIL}' as note",
        f"create table main.notes as select '{PERSON}' as first_customer_id",
        f"create view main.notes as select '{PERSON}' as customer_id",
        "create table main.notes as select null as customer_id, "
        f"'{BROKEN_LINE.replace(chr(39), chr(39) * 2)}' as source_text",
    ],
)
def test_the_proof_finds_what_is_left_in_tables(here, fault):
    person = erasing.Persons([PERSON], {BROKEN_LINE}, {MAIL})
    erasing.erase(here.project, [PERSON])
    erasing.prove(here.project, person)
    with duckdb.connect(str(here.file)) as connection:
        connection.execute(fault)
    with pytest.raises(Fault, match=r"is left: .*notes"):
        erasing.prove(here.project, person)


@pytest.mark.parametrize(
    "place", ["home/shop.duckdb.wal", "target/a", "logs/a", "build/a"]
)
@pytest.mark.parametrize("text", [MAIL, BROKEN_LINE])
def test_the_proof_finds_what_is_left_in_bytes(tmp_path, monkeypatch, place, text):
    """Every place is looked at; a place that is forgotten fails here."""
    monkeypatch.setenv(keyed_hash.KEY_VARIABLE, KEY)
    file = tmp_path / "home" / "shop.duckdb"
    file.parent.mkdir()
    duckdb.connect(str(file)).close()
    project = Project(tmp_path, tmp_path, "shop", file)
    person = erasing.Persons([PERSON], {BROKEN_LINE}, {MAIL})
    erasing.prove(project, person)
    monkeypatch.setattr(erasing, "_ask_columns", lambda *_: ([], [], 0, False))
    planted = tmp_path / place
    planted.parent.mkdir(exist_ok=True)
    planted.write_bytes(b"\0\1" + text.encode() + b"\2")
    with pytest.raises(Fault, match=planted.name):
        erasing.prove(project, person)


def test_an_id_that_is_too_short_to_be_proved_is_told(here):
    with duckdb.connect(str(here.file)) as connection:
        connection.execute(
            "update marts.dim_customers set customer_id = '17' "
            f"where customer_id = '{PERSON}'"
        )
    told = "\n".join(erasing.erase(here.project, ["17"]))
    assert "an id of less than 4 characters stands in unrelated bytes too" in told


# --- kept for so long, and no longer --------------------------------------------------

#: Of some customers everything that happened lies longer ago than that.
DAYS = 150


@pytest.fixture(scope="module")
def silent(shop) -> list[str]:
    """Who was silent for longer, from the files alone."""
    times = {
        "customers": "signed_up_at",
        "orders": "ordered_at",
        "subscriptions": "coalesce(ended_at, timestamp '2099-01-01')",
        "events": "occurred_at",
        "tickets": "opened_at",
        "touches": "sent_at",
    }
    days = " union all ".join(
        f"select customer_id, cast({time} as date) as day from "
        f"read_csv('{shop.files}/{entity}/*.csv', ignore_errors = true)"
        for entity, time in times.items()
    )
    ((score_date,),) = shop.rows("select score_date from intermediate.int_score_date")
    found = duckdb.execute(
        f"select customer_id from ({days}) group by customer_id "
        f"having max(day) < cast(? as date) - {DAYS} order by customer_id",
        [score_date],
    ).fetchall()
    return [customer_id for (customer_id,) in found]


@pytest.fixture(scope="module")
def retained(shop, silent, tmp_path_factory):
    """The shop after a run of what a scheduler would run."""
    kept = shop.copy(tmp_path_factory.mktemp("retained") / "home")
    return kept, kept.erase("--silent-for", str(DAYS), "--yes")


def test_who_was_silent_for_long_is_erased(retained, silent, monkeypatch):
    shop, finished = retained
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert 3 < len(silent) < 100
    first, *told = finished.stdout.splitlines()
    assert first == (
        f"{len(silent)} of 300 customers were silent for more than {DAYS} days"
    )
    assert any(f"looked for the ids of {len(silent)} persons" in line for line in told)
    rows = shop.rows("select customer_hash, reason from reading.erasures")
    assert set(rows) == {
        (expected_hash("erased customer", one), "retention") for one in silent
    }


def test_nothing_of_the_silent_is_left(retained, silent):
    shop, _ = retained
    gone = {*silent, *(f"someone{one.split()[1]}@example.com" for one in silent)}
    is_stored = "(schema_name, table_name) in (select (schema_name, table_name) "
    is_stored += "from duckdb_tables())"
    for contained in ("customer ", "@example.com"):
        for column, values in texts(shop, is_stored, contained).items():
            named = {
                name
                for text in values
                for name in re.findall(r"customer \d+|someone\d+@example.com", text)
            }
            assert named & gone == set(), column
    for path in shop.home.rglob("*"):
        if path.is_file() and path.suffix != ".duckdb":
            words = re.findall(rb"customer \d+", path.read_bytes())
            assert {word.decode() for word in words} & gone == set(), path


def test_who_was_not_silent_stays(shop, retained, silent):
    gone, _ = retained
    query = "select * from marts.fct_orders order by order_id"
    kept = [row for row in shop.rows(query) if row[1] not in silent]
    assert gone.rows(query) == kept


def test_the_second_run_of_the_scheduler_finds_nobody(retained):
    shop, _ = retained
    finished = shop.erase("--silent-for", str(DAYS), "--yes")
    assert finished.returncode == 0
    (line,) = finished.stdout.splitlines()
    assert line.startswith("0 of ")


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_many_are_erased_only_if_that_is_confirmed(shop, answer):
    finished = shop.erase("--silent-for", str(DAYS), answer=answer)
    assert finished.returncode == 1
    assert "Erase them for good?" in finished.stdout
    assert "Traceback" not in finished.stderr
    assert shop.rows("select count(*) from reading.erasures") == [(0,)]


@pytest.mark.parametrize("arguments", [(), (PERSON, "--silent-for", "9"), ("--yes",)])
def test_it_must_be_said_whom_to_erase(shop, arguments):
    finished = shop.erase(*arguments)
    assert finished.returncode == 2
    assert finished.stderr.splitlines() == [
        "perennial: Say whom to erase: a customer, or --silent-for DAYS."
    ]


def test_erasures_of_an_earlier_version_get_a_reason(here):
    """Whether a build comes first, or an erasure."""
    with duckdb.connect(str(here.file)) as connection:
        connection.execute("alter table reading.erasures drop column reason")
        connection.execute(
            "insert into reading.erasures values (?, ?, date '2024-01-01')",
            ["a hash", expected_hash("key", "check")],
        )
    before = here.home.with_name("built")
    shutil.copytree(here.home, before)
    erasing.erase(here.project, [PERSON])
    query = "select reason from reading.erasures order by erased_date"
    assert here.rows(query) == [(None,), ("asked",)]
    built = PrivateShop(here.installed, before, here.files)
    finished = built.build("--select", "erasures", *MODELS, **with_key())
    assert finished.exit_code == 0, finished.output
    assert built.rows(query) == [(None,)]


@pytest.mark.parametrize("seed", range(20))
def test_all_texts_are_found_wherever_they_stand(seed, monkeypatch):
    """Also where two looks at a file meet, within each other, and at both ends."""
    monkeypatch.setattr(erasing, "_BYTES_OF_A_LOOK", 7)
    random = Random(seed)
    content = bytes(random.choices(b"ab", k=200))
    places = [(random.randrange(200), random.randrange(1, 20)) for _ in range(30)]
    texts = {content[at:][:count].decode() for at, count in places} | {"abc", ""}
    found = set(erasing.found_in(content, texts))
    assert found == {
        (at, at + len(text))
        for text in texts - {""}
        for at in range(200)
        if content[at:].startswith(text.encode())
    }
