import time
from pathlib import Path
import pytest
from apps.connectors import queries, queries as q
from apps.connectors.queries import Filters
from tests import outward, pipeline
pytestmark = pytest.mark.django_db(transaction=True)

def fill(made, customer, n, state, trouble=""):
    pipeline.execute(f"""
    INSERT INTO delivery (id, connection_id, customer_id, record_id, op, cause, version, state, lane, "values", native, losers, revision, due_at, lease_until, attempts, burned,
      trouble, code, detail, correlation_id, created_at, changed_at, finished_at, actor, reason)
    SELECT gen_random_uuid(), %s, %s, gen_random_uuid(), 'create', 'change', 1, '{state}', 1,
      (SELECT jsonb_object_agg('field' || g, 'some value ' || g || i) FROM generate_series(1, 14) g), (SELECT jsonb_object_agg('Field__c' || g, 'some value ' || g || i) FROM generate_series(1, 14) g),
      '[]', 0, clock_timestamp(), NULL, 0, 0, '{trouble}', CASE WHEN i %% 3 = 0 THEN 'A' ELSE 'B' END, 'detail ' || i, gen_random_uuid(), clock_timestamp(), clock_timestamp(), {"clock_timestamp()" if state in ("done", "failed") else "NULL"}, '', ''
    FROM generate_series(1, {n}) i""", made.id, customer)

def test_perf(tmp_path: Path):
    pipeline.empty()
    with outward.target("crm", tmp_path / "crm.db", live=False) as (_, made):
        customer = pipeline.customer_of("erp", pipeline.person(1))
        for state, trouble, n in (("waiting", "", 100_000), ("done", "", 100_000), ("failed", "validation", 100_000), ("planned", "", 100_000)):
            fill(made, customer, n, state, trouble)
            if state == "waiting":
                pipeline.execute("ANALYZE delivery")
            for _ in range(3):
                t = time.perf_counter(); queries.monitor(); a = time.perf_counter() - t
            t = time.perf_counter(); queries.failures(); b = time.perf_counter() - t
            t = time.perf_counter(); queries.planned(made.id); c = time.perf_counter() - t
            t = time.perf_counter(); queries.planned(made.id, "merge"); c2 = time.perf_counter() - t
            t = time.perf_counter(); queries.deliveries(Filters(connection=made.id, state="failed", trouble="validation")); d = time.perf_counter() - t
            t = time.perf_counter(); queries.deliveries(Filters(correlation_id=customer)); e = time.perf_counter() - t
            t = time.perf_counter(); queries.deliveries(Filters(state="uncertain")); f = time.perf_counter() - t
            print(state, "monitor", round(a*1000), "failures", round(b*1000), "planned", round(c*1000), round(c2*1000), "list", round(d*1000), "corr", round(e*1000), "uncertain", round(f*1000))
        pipeline.execute("VACUUM ANALYZE delivery")
        for _ in range(2):
            t = time.perf_counter(); queries.monitor(); a = time.perf_counter() - t
            t = time.perf_counter(); queries.failures(); b = time.perf_counter() - t
            t = time.perf_counter(); queries.planned(made.id); c = time.perf_counter() - t
            t = time.perf_counter(); queries.planned(made.id, "merge"); c2 = time.perf_counter() - t
            t = time.perf_counter(); queries.deliveries(Filters(connection=made.id, state="failed", trouble="validation")); d = time.perf_counter() - t
            t = time.perf_counter(); queries.deliveries(Filters(correlation_id=customer)); e = time.perf_counter() - t
            t = time.perf_counter(); queries.deliveries(Filters(state="uncertain")); f = time.perf_counter() - t
            print("vacuumed", "monitor", round(a*1000), "failures", round(b*1000), "planned", round(c*1000), round(c2*1000), "list", round(d*1000), "corr", round(e*1000), "uncertain", round(f*1000))
        pipeline.execute("ALTER TABLE delivery DROP CONSTRAINT IF EXISTS delivery_one_waiting"); pipeline.execute("DROP INDEX IF EXISTS delivery_one_waiting, delivery_failed, delivery_finished")
        pipeline.execute("CREATE UNIQUE INDEX delivery_one_waiting ON delivery (connection_id, record_id) INCLUDE (state, changed_at) WHERE state IN ('waiting','planned')")
        pipeline.execute("CREATE INDEX delivery_failed ON delivery (connection_id, trouble, code) INCLUDE (finished_at) WHERE state = 'failed'")
        pipeline.execute("CREATE INDEX delivery_finished ON delivery (connection_id, finished_at) INCLUDE (state)")
        pipeline.execute("VACUUM ANALYZE delivery")
        for _ in range(2):
            t = time.perf_counter(); queries.monitor(); a = time.perf_counter() - t
            t = time.perf_counter(); queries.failures(); b = time.perf_counter() - t
            t = time.perf_counter(); queries.planned(made.id); c = time.perf_counter() - t
            t = time.perf_counter(); queries.planned(made.id, "merge"); c2 = time.perf_counter() - t
            print("include", "monitor", round(a*1000), "failures", round(b*1000), "planned", round(c*1000), round(c2*1000))
        for r in pipeline.query("EXPLAIN (ANALYZE, BUFFERS) " + q._HEALTH): print(r[0])
