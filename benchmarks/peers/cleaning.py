"""Records made comparable in DuckDB, as the documentation of splink and recordlinkage asks for.

One table `clean`, text but for a date and a list, null where nothing is known: record_id, system, kind, given, family, full_name, birth, email,
mailbox, phone, number, other_number, organization, core (without legal form), first_word, words
(of core, sorted: a list), domain, address, house, postcode, city."""

from pathlib import Path
from typing import Any

COLUMNS = (
    "record_id", "system", "kind", "name", "given_name", "family_name", "organization_name", "birth_date", "email", "phone",
    "website", "tax_id", "national_id", "lei", "duns", "registration_number", "address_line1", "address_line2", "city",
    "region", "postal_code",
)  # fmt: skip
LEGAL = (
    "incorporated|inc|limited|ltd|llc|llp|lp|plc|corporation|corp|company|co|gmbh co kg|gmbh|mbh|ug|ag|kg|ohg|gbr|e k|ek|"
    "sarl|s a r l|sas|s a s|sasu|eurl|sa|s a|sl|s l|slu|srl|s r l|srls|spa|s p a|snc|sas di|bv|b v|nv|n v|vof|ab|aktiebolag|"
    "hb|sp z o o|spolka z o o|spolka z ograniczona odpowiedzialnoscia|sp j|sp k|ood|eood|ad|et|epe|ae|a e|ike|oe|e e|"
    "kk|k k|kabushiki kaisha|yugen kaisha|godo kaisha|sae|s a e|pty"
)
SHARED = 60  # an address or number of more records than this is a placeholder or a switchboard


def read(con: Any, path: Path) -> int:
    """The file as table `raw` with all of COLUMNS; returns the number of records."""
    source = f"read_parquet('{path}')" if path.suffix == ".parquet" else f"read_csv('{path}', all_varchar=true)"
    present = {row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    chosen = ", ".join(
        f"nullif(trim({name}::varchar), '') AS {name}" if name in present else f"NULL::varchar AS {name}"
        for name in COLUMNS
    )
    con.execute(f"CREATE OR REPLACE TABLE raw AS SELECT {chosen} FROM {source}")
    count: int = con.execute("SELECT count(*) FROM raw").fetchall()[0][0]
    return count


def _text(column: str) -> str:
    plain = f"replace(strip_accents(lower({column})), 'ß', 'ss')"
    return rf"nullif(trim(regexp_replace({plain}, '[^\p{{L}}\p{{N}}]+', ' ', 'g')), '')"


def _digits(column: str) -> str:
    return rf"regexp_replace({column}, '\D', '', 'g')"


def _unshared(column: str) -> str:
    return f"CASE WHEN count(*) OVER (PARTITION BY {column}) <= {SHARED} THEN {column} END AS {column}"


def clean(con: Any) -> None:
    """The table `raw` to the table `clean`."""
    con.execute(f"""
    CREATE OR REPLACE TABLE tidy AS SELECT
        record_id, system, coalesce(kind, 'person') AS kind,
        CASE WHEN kind = 'organization' THEN NULL
             WHEN given_name IS NOT NULL THEN regexp_replace({_text("given_name")}, ' [a-z]$', '')
             WHEN contains(name, ',') THEN {_text("split_part(name, ',', 2)")}
             ELSE split_part({_text("name")}, ' ', 1) END AS given,
        CASE WHEN kind = 'organization' THEN NULL
             WHEN family_name IS NOT NULL THEN {_text("family_name")}
             WHEN contains(name, ',') THEN {_text("split_part(name, ',', 1)")}
             ELSE nullif(trim(substr({_text("name")}, length(split_part({_text("name")}, ' ', 1)) + 1)), '') END AS family,
        CASE WHEN birth_date <> '1900-01-01' THEN try_cast(birth_date AS date) END AS birth,
        lower(email) AS email,
        CASE WHEN length({_digits("phone")}) >= 7 AND ltrim({_digits("phone")}, '0') <> '' THEN right({_digits("phone")}, 9) END AS phone,
        nullif(regexp_replace(regexp_replace(lower(coalesce(tax_id, national_id)), '[^a-z0-9]', '', 'g'), '^[a-z]{{2}}', ''), '') AS number,
        lower(coalesce(lei, duns, registration_number)) AS other_number,
        CASE WHEN kind = 'organization' THEN {_text("coalesce(organization_name, name)")} END AS organization,
        regexp_extract(lower(website), '^(?:https?://)?(?:www\\.)?([^/]+)', 1) AS site,
        {_text("address_line1")} AS address, regexp_extract(address_line1, '[0-9]+') AS house,
        regexp_replace(lower(postal_code), '[^a-z0-9]', '', 'g') AS postcode, {_text("city")} AS city
    FROM raw""")
    con.execute(f"""
    CREATE OR REPLACE TABLE shortened AS SELECT * EXCLUDE (site, phone, email),
        {_unshared("phone")}, {_unshared("email")},
        regexp_replace(regexp_replace(organization, ' ({LEGAL})$', ''), ' ({LEGAL})$', '') AS core,
        coalesce(nullif(site, ''), CASE WHEN kind = 'organization' THEN nullif(split_part(email, '@', 2), '') END) AS domain
    FROM tidy""")
    con.execute(f"""
    CREATE OR REPLACE TABLE clean AS SELECT * EXCLUDE (domain, house, postcode),
        {_unshared("domain")}, nullif(house, '') AS house, nullif(postcode, '') AS postcode,
        given || ' ' || family AS full_name, split_part(core, ' ', 1) AS first_word,
        list_sort(string_split(core, ' ')) AS words, nullif(split_part(email, '@', 1), '') AS mailbox
    FROM shortened""")
    con.execute("DROP TABLE tidy; DROP TABLE shortened; DROP TABLE raw")
