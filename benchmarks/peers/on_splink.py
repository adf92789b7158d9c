"""splink 5 on DuckDB: one Fellegi-Sunter model for people, one for companies, joined.

Settings after splink's own examples for these data (febrl3, febrl4, historical persons): its comparisons of names, dates of
birth and mail addresses, term frequencies, u from random pairs, m by expectation maximisation under several rules. Narrow
blocking rules always; wide ones, which its examples use on some thousand records, where they stay below WIDE pairs a
record. Two files called a and b are linked, as in its febrl4 example; all others are deduplicated."""

from dataclasses import dataclass
from typing import Any

import cleaning
import duckdb
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from adapter import THRESHOLDS, Errand, best_of
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

FIXED = 0.95  # the threshold of its deduplication example
WIDE, NARROW = 15, 3  # pairs a record that one blocking rule may cost in a small set and in one above LARGE records
LARGE = 100_000
FILLED = 0.02  # a column known in a smaller share of records is no comparison
RANDOM_PAIRS = 5e6  # for u: the 1e7 that its documentation recommends, over two models; 1e6 as in its febrl examples
LIST = list[Any]


@dataclass
class Kind:
    """What a knowing user writes down for one kind of record; rules are column lists or SQL."""

    rules: list[tuple[str, ...]]
    sure: list[tuple[str, ...]]
    training: list[tuple[str, ...]]
    recall: float


PERSON = Kind(
    rules=[
        ("given", "family"), ("family", "birth"), ("given", "birth"), ("email",), ("phone",), ("number",),
        ("family", "postcode"), ("given", "postcode"), ("family", "city", "substr(given, 1, 1)"), ("birth", "postcode"),
        ("birth", "substr(family, 1, 2)"), ("address", "postcode"), ("address", "city"), ("given", "house", "city"),
        ("substr(given, 1, 3)", "substr(family, 1, 4)"), ("mailbox",),
        ("given",), ("family",), ("birth",), ("postcode",),
    ],
    sure=[("number",), ("given", "family", "birth"), ("email",), ("given", "family", "postcode")],
    training=[("given", "family"), ("birth",), ("email",), ("postcode", "house")],
    recall=0.8,
)  # fmt: skip
COMPANY = Kind(
    rules=[
        ("core",), ("number",), ("other_number",), ("phone",), ("email",), ("domain",), ("address", "city"),
        ("address", "postcode"), ("first_word", "postcode"), ("first_word", "city"), ("substr(core, 1, 8)",),
        ("substr(core, 1, 4)", "city"), ("house", "city"), ("house", "substr(core, 1, 3)"),
        ("first_word",), ("postcode",), ("address",), ("substr(core, 1, 3)",),
    ],
    sure=[("number",), ("core", "postcode"), ("core", "city"), ("core", "domain")],
    training=[("core",), ("phone",), ("number",), ("postcode", "house"), ("city", "house"), ("first_word",)],
    recall=0.7,
)  # fmt: skip
SWAPPED = "l.given = r.family and l.family = r.given"


def exact(column: str, label: str) -> Any:
    return cll.ExactMatchLevel(column).configure(tf_adjustment_column=column, label_for_charts=label)


def sql(condition: str, label: str) -> Any:
    return cll.CustomLevel(condition, label_for_charts=label)


def address() -> Any:
    """One comparison with ordered levels, since street, post code and town are strongly correlated."""
    known = " and ".join(f"({name}_l is null or {name}_r is null)" for name in ("address", "postcode", "city"))
    place = "(postcode_l = postcode_r or city_l = city_r)"
    return cl.CustomComparison(
        output_column_name="place",
        comparison_levels=[
            cll.CustomLevel(known, label_for_charts="not known").configure(is_null_level=True),
            sql(f"address_l = address_r and {place}", "same address"),
            sql(f"jaro_winkler_similarity(address_l, address_r) >= 0.9 and {place}", "like address"),
            exact("address", "same street and number elsewhere"),
            sql("house_l = house_r and jaro_winkler_similarity(address_l, address_r) >= 0.8", "like it elsewhere"),
            sql(f"house_l = house_r and {place}", "same house number and post code or town"),
            exact("postcode", "same post code"),
            cll.JaroWinklerLevel("postcode", 0.9),
            exact("city", "same town"),
            cll.JaroWinklerLevel("city", 0.9),
            cll.ElseLevel(),
        ],
    )


def birth() -> Any:
    """Slips in one part of a date, and day and month changed; quicker on ten million pairs than a distance of letters."""
    day, month, year = (f"{part}(birth_l) = {part}(birth_r)" for part in ("day", "month", "year"))
    crossed = "day(birth_l) = month(birth_r) and month(birth_l) = day(birth_r)"
    return cl.CustomComparison(
        output_column_name="birth",
        comparison_levels=[
            cll.NullLevel("birth"),
            exact("birth", "same day"),
            sql(f"{year} and ({month} or {day} or ({crossed}))", "same year and day, month, or both changed"),
            sql(f"{month} and {day}", "same day of another year"),
            sql(year, "same year"),
            cll.ElseLevel(),
        ],
    )


def person_name() -> Any:
    """splink's comparison of given and family name with its levels, and one for initials."""
    levels = cl.ForenameSurnameComparison(
        "given", "family", forename_surname_concat_col_name="full_name"
    ).create_comparison_levels()
    initial = "family_l = family_r and substr(given_l, 1, 1) = substr(given_r, 1, 1) and least(length(given_l), length(given_r)) = 1"
    return cl.CustomComparison(
        output_column_name="person_name", comparison_levels=[*levels[:5], sql(initial, "initial"), *levels[5:]]
    )


def person_mail() -> Any:
    """splink's comparison of mail addresses, with the part before the @ cut out once and not for every pair."""
    levels = [cll.NullLevel("email"), exact("email", "same mail"), exact("mailbox", "same part before the @")]
    likes = [cll.JaroWinklerLevel("email", 0.88), cll.JaroWinklerLevel("mailbox", 0.88)]
    return cl.CustomComparison(output_column_name="mail", comparison_levels=[*levels, *likes, cll.ElseLevel()])


def company_name() -> Any:
    within = "(list_has_all(words_l, words_r) or list_has_all(words_r, words_l))"
    return cl.CustomComparison(
        output_column_name="company_name",
        comparison_levels=[
            cll.NullLevel("core"),
            exact("organization", "same name"),
            exact("core", "same but for the legal form"),
            cll.JaroWinklerLevel("core", 0.94),
            sql("words_l = words_r", "same words"),
            sql(f"{within} and least(length(core_l), length(core_r)) >= 5", "the words of one are among the other's"),
            cll.JaroWinklerLevel("core", 0.88),
            exact("first_word", "same first word"),
            cll.ElseLevel(),
        ],
    )


def company_mail() -> Any:
    levels = [cll.NullLevel("domain"), exact("email", "same mail"), exact("domain", "same domain")]
    return cl.CustomComparison(
        output_column_name="mail", comparison_levels=[*levels, cll.JaroWinklerLevel("domain", 0.92), cll.ElseLevel()]
    )


def comparisons(kind: str, filled: dict[str, float]) -> LIST:
    """The comparisons of a kind, as far as its records have anything to compare."""
    person = [
        ("family", person_name),
        ("birth", birth),
        ("email", person_mail),
    ]
    company = [
        ("core", company_name),
        ("domain", company_mail),
        ("other_number", lambda: cl.ExactMatch("other_number")),
    ]
    both = [
        ("phone", lambda: cl.JaroWinklerAtThresholds("phone", [0.95]).configure(term_frequency_adjustments=True)),
        ("number", lambda: cl.JaroWinklerAtThresholds("number", [0.93])),
        ("address", address),
    ]
    chosen = (person if kind == "person" else company) + both
    return [make() for column, make in chosen if filled.get(column, 0) >= FILLED]


def pairs_of(con: Any, table: str, rule: tuple[str, ...]) -> int:
    """How many pairs a rule makes."""
    known = " and ".join(f"nullif({part}::varchar, '') is not null" for part in rule)
    query = f"SELECT coalesce(sum(n * (n - 1) // 2), 0)::bigint FROM (SELECT count(*)::hugeint AS n FROM {table} WHERE {known} GROUP BY {', '.join(rule)})"
    count: int = con.execute(query).fetchall()[0][0]
    return count


def filled_of(con: Any, table: str) -> dict[str, float]:
    names = [row[0] for row in con.execute(f"DESCRIBE {table}").fetchall()]
    shares = con.execute(f"SELECT {', '.join(f'count({name}) / count(*)' for name in names)} FROM {table}").fetchall()[
        0
    ]
    return dict(zip(names, shares, strict=True))


def frames(con: Any, api: Any, table: str) -> LIST:
    """The table as one frame to deduplicate, or as two to link where its records stand in files a and b."""
    systems = {row[0] for row in con.execute(f"SELECT DISTINCT system FROM {table}").fetchall()}
    if systems != {"a", "b"}:
        return [api.register(con.table(table))]
    for system in "ab":
        con.execute(f"CREATE TABLE {table}_{system} AS SELECT * FROM {table} WHERE system = '{system}'")
    return [api.register(con.table(f"{table}_{system}"), dataset_display_name=f"file_{system}") for system in "ab"]


def model(errand: Errand, all_kinds: Any, kind: str) -> tuple[Any, Any, int]:
    """Trains and predicts one kind; returns the linker, its predictions above the lowest threshold, and pairs compared.

    Each kind has a database of its own: two linkers in one take each other's tables."""
    known, table = (PERSON if kind == "person" else COMPANY), f"clean_{kind}"
    with errand.phase("clean"):
        records_of_kind = all_kinds.sql(f"SELECT * FROM clean WHERE kind = '{kind}'").to_arrow_table()
        con = duckdb.connect()
        con.from_arrow(records_of_kind).create(table)
        del records_of_kind
        records = con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        filled = filled_of(con, table)
        cost = {
            rule: pairs_of(con, table, rule) for rule in dict.fromkeys([*known.rules, *known.training, *known.sure])
        }
        inputs = frames(con, DuckDBAPI(connection=con), table)
    most = NARROW if records > LARGE else WIDE
    with errand.phase("train"):
        rules: LIST = [block_on(*rule) for rule in known.rules if 0 < cost[rule] <= max(most * records, 20_000)]
        if kind == "person" and filled["given"] > 0.5:
            rules.append(SWAPPED)
        settings = SettingsCreator(
            link_type="dedupe_only" if len(inputs) == 1 else "link_only",
            unique_id_column_name="record_id",
            blocking_rules_to_generate_predictions=rules,
            comparisons=comparisons(kind, filled),
            retain_intermediate_calculation_columns=False,
            retain_matching_columns=False,
        )
        linker = Linker(inputs if len(inputs) > 1 else inputs[0], settings, log_level=None)
        sure = [block_on(*rule) for rule in known.sure if cost[rule]]
        linker.training.estimate_probability_two_random_records_match(sure, recall=known.recall)
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6 if records <= 10_000 else RANDOM_PAIRS, seed=2)
        for rule in known.training:
            if 50 <= cost[rule] <= 10_000_000:
                linker.training.estimate_parameters_using_expectation_maximisation(
                    block_on(*rule), estimate_without_term_frequencies=True
                )
    with errand.phase("predict"):
        blocked = linker.inference.compute_blocked_pairs_for_predict()
        pairs = con.execute(f"SELECT count(*) FROM {blocked.physical_name}").fetchall()[0][0]
        predictions = linker.inference.predict(threshold_match_probability=min(THRESHOLDS))
    return linker, predictions, pairs


def clusters(linker: Any, predictions: Any, kind: str, threshold: float) -> dict[str, str]:
    found = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, threshold)
    table = found.as_pyarrow_table()
    labels = (f"{kind}-{label}" for label in table["cluster_id"].to_pylist())
    return dict(zip(table["record_id"].to_pylist(), labels, strict=True))


def main() -> None:
    errand = Errand("splink", __doc__)
    con = duckdb.connect()
    with errand.phase("read"):
        errand.records = cleaning.read(con, errand.options.file)
    with errand.phase("clean"):
        cleaning.clean(con)
        kinds = [row[0] for row in con.execute("SELECT DISTINCT kind FROM clean ORDER BY 1").fetchall()]
    trained = {kind: model(errand, con, kind) for kind in kinds}
    with errand.phase("cluster"):
        fixed = {kind: clusters(linker, found, kind, FIXED) for kind, (linker, found, _) in trained.items()}
    errand.write("fixed", (pair for one in fixed.values() for pair in one.items()), FIXED)
    truth = errand.truth()
    if truth:
        with errand.phase("tune"):
            best, used = [], {}
            for kind, (linker, found, _) in trained.items():
                choices = [(mark, clusters(linker, found, kind, mark)) for mark in THRESHOLDS]
                used[kind], one = choices[best_of(choices, truth)]
                best.append(one)
            errand.write("best", (pair for one in best for pair in one.items()), used)
    errand.done(sum(pairs for _, _, pairs in trained.values()))


if __name__ == "__main__":
    main()
