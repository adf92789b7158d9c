"""goldenmatch: the package chooses what it compares and how; it is given the columns that say who a customer is.

--way zero: everything its own choice. --way fs: its Fellegi-Sunter model (auto_configure_probabilistic_df). Without a
word the second for records of one kind and the first for mixed ones, each where it is the better. Records of
one kind are as they are in the file, mixed ones are cleaned, again where each is the better; columns bear the names by which
the package knows them, and those of one value alone are left out. Its result is "fixed": it sets its own threshold."""

import os

os.environ["GOLDENMATCH_AUTOCONFIG_MEMORY"] = "0"  # no run may learn from the one before
os.environ["GOLDENMATCH_SUGGEST_ON_DEDUPE"] = "0"  # advice on settings is no part of a run

import contextlib
import sys

import cleaning
import duckdb
import goldenmatch
import pyarrow.compute as pc
from adapter import Errand

NAMES = {
    "given_name": "first_name", "family_name": "last_name", "birth_date": "date_of_birth", "postal_code": "zip",
    "organization_name": "company_name", "address_line1": "address",
}  # fmt: skip
AS_THEY_ARE = (
    "kind, name, given_name, family_name, organization_name, birth_date, email, phone, website, tax_id, national_id, "
    "address_line1, address_line2, city, region, postal_code"
)
CLEANED = (
    "kind, given AS given_name, family AS family_name, core AS organization_name, birth::varchar AS birth_date, email, phone, "
    "number AS tax_id, domain AS website, address AS address_line1, city, postcode AS postal_code"
)


def main() -> None:
    errand = Errand("goldenmatch", __doc__, way={"choices": ("zero", "fs")})
    con = duckdb.connect()
    with errand.phase("read"):
        errand.records = cleaning.read(con, errand.options.file)
        mixed = len(con.sql("SELECT DISTINCT kind FROM raw").fetchall()) > 1
    way = errand.options.way or ("zero" if mixed else "fs")
    with errand.phase("clean"):
        if mixed:
            cleaning.clean(con)
        chosen = f"record_id, {CLEANED} FROM clean" if mixed else f"record_id, {AS_THEY_ARE} FROM raw"
        table = con.sql(f"SELECT {chosen}").to_arrow_table()
        ids = table["record_id"].to_pylist()
        table = table.drop_columns(["record_id"])
        table = table.drop_columns([name for name in table.column_names if pc.count_distinct(table[name]).as_py() < 2])
        table = table.rename_columns([NAMES.get(name, name) for name in table.column_names])
    with contextlib.redirect_stdout(sys.stderr):
        config = None
        if way == "fs":
            with errand.phase("train"):
                config = goldenmatch.auto_configure_probabilistic_df(table)
        with errand.phase("match"):
            result = goldenmatch.dedupe_df(table, config=config, confidence_required=False)
    with errand.phase("cluster"):
        groups = [group["members"] for group in result.clusters.values()]
    errand.write("fixed", ((ids[place], at) for at, group in enumerate(groups) for place in group), f"its own, {way}")
    errand.done(len(result.scored_pairs))


if __name__ == "__main__":
    main()
