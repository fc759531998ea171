"""The files of a connector: plain staging models that their user owns."""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from perennial.faults import UsageFault
from perennial.init.proposal import Domain, Proposal
from perennial.init.roles import Choice
from perennial.init.tables import TAKEN_NAMES, literal, quoted
from perennial.macros import contract

#: Descriptions of columns that the vocabulary has under another name.
_DESCRIBED_AS = {
    ("orders", "category"): "order_category",
    ("tickets", "category"): "ticket_category",
    ("tickets", "opened_at"): "ticket_opened_at",
    ("touches", "opened_at"): "touch_opened_at",
}


def files(proposal: Proposal) -> dict[Path, str]:
    """Make the files of a connector.

    Returns
    -------
    dict of Path to str
        By path in the project.
    """
    name = proposal.name
    folder = Path("models", "staging", name)
    settings = Path("macros", "connectors", f"{name}__settings")
    made = {
        folder / f"{name}__sources.yml": _sources(proposal),
        settings.with_suffix(".sql"): _rendered(
            "settings.sql", name=name, settings=_literals(proposal.settings)
        ),
        settings.with_suffix(".yml"): _rendered("settings.yml", name=name),
        folder / "README.md": _readme(proposal),
    }
    for domain in proposal.domains.values():
        make = _invoice_models if domain.lines else _row_model
        for file, text in make(proposal, domain).items():
            made[folder / file] = text
    return made


def check_name(name: str, root: Path) -> None:
    """Refuse a name that cannot be one, or that is taken.

    Raises
    ------
    UsageFault
    """
    if not re.fullmatch("[a-z][a-z0-9_]{0,39}", name):
        raise UsageFault(
            f"{name[:60]!r} cannot be a connector's name: it is of small letters, "
            "digits and underscores, and begins with a letter."
        )
    if name in ("perennial", "marts", "input", "staging", "raw", "main", "memory"):
        raise UsageFault(f"{name} is a name of perennial's own: choose another.")
    for taken in (
        root / "models" / "staging" / name,
        root / "macros" / "connectors" / f"{name}__settings.sql",
    ):
        if taken.exists():
            raise UsageFault(
                f"{taken.relative_to(root)} is there already, and nothing in it is "
                "overwritten: choose another name, or remove it."
            )


def write(proposal: Proposal) -> list[Path]:
    """Write the files of a connector; none that is there already.

    Returns
    -------
    list of Path
        In the project.
    """
    check_name(proposal.name, proposal.root)
    made = files(proposal)
    for path, text in made.items():
        file = proposal.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return list(made)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("perennial.init"),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )


def _rendered(template: str, **values: Any) -> str:
    return _environment().get_template(f"{template}.jinja").render(**values)


@cache
def _reserved() -> frozenset[str]:
    with duckdb.connect() as connection:
        found = connection.execute(
            "select keyword_name from duckdb_keywords()"
            " where keyword_category in ('reserved', 'type_function')"
        ).fetchall()
    return frozenset(word for (word,) in found)


def _identifier(name: str) -> str:
    """Write a column's name in SQL: small where that says the same."""
    small = name.lower()
    plain = re.fullmatch("[a-z_][a-z0-9_]*", small) and small not in _reserved()
    return small if plain else quoted(name)


def _literals(settings: dict[str, Any]) -> dict[str, str]:
    return {
        key: str(value).lower() if isinstance(value, bool) else repr(value)
        for key, value in settings.items()
    }


def _expression(choice: Choice) -> str:
    """Write SQL of a role's value in a staging model."""
    column = _identifier(choice.column.name)
    expression = choice.reading.expression or "{column}"
    if "{{" in expression:  # it stands in a string of Jinja
        column = column.replace("'", "\\'")
    return expression.replace("{column}", column)


def _declared(proposal: Proposal, domain: Domain) -> list[dict[str, Any]]:
    """Columns of a source, as they are declared."""
    required = contract(proposal.root)[domain.entity]["required"]
    needed = set(required) | {"quantity", "price"}
    columns: dict[str, dict[str, Any]] = {}
    for role, choice in domain.choices.items():
        if role == "product_name" or (
            role == "product" and not (domain.lines and domain.lines.fee_products)
        ):
            continue
        meta = []
        if role not in needed:
            meta.append("optional: true")
        if choice.reading.time_format:
            meta.append(f"time_format: {json.dumps(choice.reading.time_format)}")
        if role == "customer_id" and choice.column.name.lower() != "customer_id":
            meta.append("identifies: customer")
        if role == "email":
            meta.append("pii: true")
        columns[choice.column.name] = {
            "name": choice.column.name,
            "data_type": choice.reading.data_type,
            "description": f"Taken as {role}.",
            "meta": ", ".join(meta),
        }
    return list(columns.values())


def _files_of(proposal: Proposal, domain: Domain) -> str | None:
    """Where the files lie, as seen from the project's folder."""
    named = domain.place.files
    if named is None or Path(named).is_absolute():
        return named
    return os.path.relpath(Path(named).absolute(), proposal.root)


def _variable(proposal: Proposal, domain: Domain) -> str:
    return f"{proposal.name}_{domain.entity}_files".upper()


def _sources(proposal: Proposal) -> str:
    place = proposal.place
    tables = []
    for domain in proposal.domains.values():
        own = domain.place
        named = _files_of(proposal, domain)
        tables.append(
            {
                "entity": domain.entity,
                "identifier": own.table if own.table != domain.entity else None,
                "described": "One row per line of an invoice."
                if domain.lines
                else f"One row per row of the delivered {domain.entity}.",
                "files": named,
                "files_literal": _yaml_text(named) if named else None,
                "variable": _variable(proposal, domain),
                "format": own.file_format,
                "delimiter": own.delimiter,
                "columns": _declared(proposal, domain),
            }
        )
    return _rendered(
        "sources.yml",
        name=proposal.name,
        database=place.database,
        database_schema=place.schema,
        domains=tables,
    )


def _yaml_text(text: str) -> str:
    """Write a string of Jinja that stands in a quoted scalar of YAML."""
    escaped = text.replace("\\", "/").replace("'", "\\\\'").replace('"', '\\"')
    return f"'{escaped}'"


def _described(entity: str, column: str) -> str:
    return f"\"{{{{ doc('{_DESCRIBED_AS.get((entity, column), column)}') }}}}\""


def _columns(entity: str, names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "description": _described(entity, name),
            "is_personal": name == "email",
        }
        for name in names
    ]


def _row_model(proposal: Proposal, domain: Domain) -> dict[str, str]:
    name, entity = proposal.name, domain.entity
    agreed = contract(proposal.root)[entity]
    key, types = agreed["key"], agreed["columns"]
    converted = [
        {
            "role": role,
            "expression": _expression(choice),
            "column": _identifier(choice.column.name),
        }
        for role, choice in domain.choices.items()
        if choice.reading.expression
    ]
    values = {
        role: f"converted_{role}"
        if choice.reading.expression
        else _identifier(choice.column.name)
        for role, choice in domain.choices.items()
    }
    items = {role: _as(value, role) for role, value in values.items()}
    if key not in values and domain.has_line_numbers:
        items[key] = f"source_file || ':' || source_line as {key}"
    if entity == "orders":
        items |= _order_words(domain, values)
    groups: dict[str, list[str]] = {
        title: [] for title in ("keys", "attributes", "measures", "times")
    }
    order = [*types, "exclude_reason", "loaded_at"]
    for role in order:
        if role in items:
            groups[_group(role, types.get(role, "varchar"))].append(items[role])
    model = f"stg_{name}__{entity}"
    columns = [role for role in order if role in items]
    is_view = entity == "events"
    in_files = domain.place.files is not None
    return {
        f"{model}.sql": _rendered(
            "rows.sql",
            name=name,
            entity=entity,
            is_view=is_view,
            converted=converted,
            groups=[
                {"title": title, "rows": found}
                for title, found in groups.items()
                if found
            ],
        ),
        f"{model}.yml": _rendered(
            "model.yml",
            model=model,
            description=f"Rows of the raw {entity} with our names and types. "
            "One row per delivered row.",
            grain="reading_id, source_line" if in_files and not is_view else "",
            nullable="",
            columns=_columns(entity, [*columns, *TAKEN_NAMES]),
        ),
    }


def _as(value: str, role: str) -> str:
    return value if value == role else f"{value} as {role}"


def _group(role: str, type_: str) -> str:
    if role.endswith("_id"):
        return "keys"
    if type_ == "timestamp" or role == "loaded_at":
        return "times"
    return "attributes" if type_ in ("varchar", "boolean") else "measures"


def _order_words(domain: Domain, values: dict[str, str]) -> dict[str, str]:
    """Select items of orders whose words have to become ours."""
    items = {}
    if domain.kinds:
        items["kind"] = _case(values["kind"], domain.kinds, "kind")
    elif domain.has_negative_refunds:
        items["kind"] = (
            f"case when {values['amount']} < 0 then 'refund' "
            "else 'purchase' end as kind"
        )
    reasons = []
    if "status" in values:
        # what is set aside has no status of ours
        known = domain.statuses | dict.fromkeys(domain.set_aside, "completed")
        status = values["status"]
        items["status"] = _case(status, known, "status")
        reasons += [
            f"when lower(trim({status})) = {literal(said)} then {literal(reason)}"
            for said, reason in domain.set_aside.items()
        ]
    if "currency" in values:
        items["currency"] = f"upper(trim({values['currency']})) as currency"
    if domain.has_guests:
        reasons.append(f"when {values['customer_id']} is null then 'guest'")
    if reasons:
        items["exclude_reason"] = _lines_of("case", reasons, "end as exclude_reason")
    return items


def _case(value: str, words: dict[str, str], role: str) -> str:
    return _lines_of(
        f"case lower(trim({value}))",
        [
            *(
                f"when {literal(said)} then {literal(ours)}"
                for said, ours in words.items()
            ),
            f"else {value}",
        ],
        f"end as {role}",
    )


def _lines_of(first: str, middle: list[str], last: str) -> str:
    return "\n        ".join([first, *(f"    {one}" for one in middle), last])


def _invoice_models(proposal: Proposal, domain: Domain) -> dict[str, str]:
    name, lines, choices = proposal.name, domain.lines, domain.choices
    value = {role: _expression(choice) for role, choice in choices.items()}
    if "amount" in choices:
        line_amount = value["amount"]
    else:
        line_amount = f"{value['quantity']} * {value['price']}"
    fees = ", ".join(literal(one) for one in lines.fee_products)
    letters = "regexp_extract(order_id, '^[A-Za-z]+')"
    is_refund = "amount < 0"
    if lines.refund_letters:
        listed = ", ".join(literal(one) for one in lines.refund_letters)
        is_refund = f"{letters} in ({listed}) or amount < 0"
    listed = ", ".join(literal(one) for one in lines.adjustment_letters)
    shared = {
        "name": name,
        "currency": f"upper(trim({value['currency']}))" if "currency" in value else "",
        "loaded_at": value.get("loaded_at", ""),
        "fees": fees,
    }
    own = [one for one in ("currency", "loaded_at") if shared[one]]
    base, staging = f"base_{name}__invoices", f"stg_{name}__orders"
    base_columns = _columns("orders", ["order_id", "customer_id", "ordered_at", *own])
    base_columns += [
        {
            "name": "exact_amount",
            "description": "Sum of the lines, not rounded.",
            "is_personal": False,
        },
        {
            "name": "is_fee",
            "description": "Whether every line is a fee, and no product.",
            "is_personal": False,
        },
        *_columns("orders", list(TAKEN_NAMES)),
    ]
    staged = ["order_id", "customer_id", "kind", "exclude_reason", "amount"]
    in_files = domain.place.files is not None
    grain = "reading_id, source_line" if in_files else "source_file, order_id"
    nullable = "" if in_files else "order_id"
    return {
        f"{base}.sql": _rendered(
            "base_invoices.sql",
            order_id=value["order_id"],
            customer_id=value.get("customer_id", "cast(null as varchar)"),
            ordered_at=value.get("ordered_at", "cast(null as timestamp)"),
            line_amount=line_amount,
            product=value.get("product", ""),
            **shared,
        ),
        f"{base}.yml": _rendered(
            "model.yml",
            model=base,
            description="Lines of invoices, added up. One row per invoice and file.",
            grain=grain,
            nullable=nullable,
            columns=base_columns,
        ),
        f"{staging}.sql": _rendered(
            "invoices.sql",
            is_refund=is_refund,
            adjustments=f"{letters} in ({listed})" if listed else "",
            **shared,
        ),
        f"{staging}.yml": _rendered(
            "model.yml",
            model=staging,
            description="Invoices with our names and types. "
            "One row per invoice and file.",
            grain=grain,
            nullable=nullable,
            columns=_columns("orders", [*staged, "ordered_at", *own, *TAKEN_NAMES]),
        ),
    }


def told_score(choice: Choice) -> str:
    """Tell how sure a choice is."""
    return "by hand" if choice.is_chosen_by_hand else f"{choice.score:.2f}"


def doubts(proposal: Proposal) -> dict[str, list[str]]:
    """Everything that a person should look at, by domain."""
    told = {
        entity: [*domain.roles.doubts, *domain.doubts]
        for entity, domain in proposal.domains.items()
    }
    return {
        **{entity: found for entity, found in told.items() if found},
        **({"all": proposal.doubts} if proposal.doubts else {}),
    }


def attachment(proposal: Proposal) -> str | None:
    """Tell PERENNIAL_ATTACH of the database; None where the tables are files."""
    place = proposal.place
    if place.database is None:
        return None
    told = {
        "path": place.address
        if place.is_server
        else str(Path(place.database).absolute()),
        "alias": f"{proposal.name}_raw",
        "read_only": True,
    }
    if place.is_server:
        told["type"] = "postgres"
    # as_native reads it, which knows True and not true
    return str([told]).replace("'", '"')


def _readme(proposal: Proposal) -> str:
    domains = proposal.domains.values()
    place = proposal.place
    taken = [
        {
            "entity": domain.entity,
            "role": role,
            "column": choice.column.name,
            "score": told_score(choice),
        }
        for domain in domains
        for role, choice in domain.choices.items()
    ]
    text = _rendered(
        "README.md",
        name=proposal.name,
        database=place.database,
        is_server=place.is_server,
        attach=attachment(proposal),
        variables=[
            (_variable(proposal, domain), _files_of(proposal, domain))
            for domain in domains
            if domain.place.files
        ],
        taken=taken,
        doubts=doubts(proposal),
        has_lines=any(domain.lines for domain in domains),
        history=proposal.history,
        missing=proposal.missing,
        unused={
            domain.entity: ", ".join(domain.roles.unused)
            for domain in domains
            if domain.roles.unused
        },
    )
    # dbt looks for its own tags in every page, and samples may hold anything
    return text.replace("{%", "{ %").replace("{{", "{ {").replace("{#", "{ #")
