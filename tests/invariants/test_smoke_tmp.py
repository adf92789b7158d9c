import time, pytest
from tests import pipeline as p
@pytest.mark.django_db(transaction=True)
def test_smoke():
    p.systems(); p.empty()
    for i in range(3):
        p.take("crm", {"record_id": f"w{i}", "kind":"person","given_name":"Anna","family_name":"Berg"})
    t=time.perf_counter()
    for i in range(50):
        p.take("crm", {"record_id": f"r{i}", "kind":"person","given_name":["Anna","Bo","Cem","Dora"][i%4],"family_name":["Berg","Ohm"][i%2],"email":f"x{i%7}@a.example","birth_date":f"198{i%5}-02-03"})
    print("\ntake", (time.perf_counter()-t)/50*1e3)
    t=time.perf_counter()
    for i in range(20): assert not p.broken(), p.broken()
    print("broken", (time.perf_counter()-t)/20*1e3)
    t=time.perf_counter(); p.empty(); print("trunc", (time.perf_counter()-t)*1e3)
    t=time.perf_counter(); p.empty(); print("trunc", (time.perf_counter()-t)*1e3)
    p.use_model(block_cap=3)
    p.take("crm", {"record_id": "1", "kind":"person","given_name":"Anna","family_name":"Berg"})
    t=time.perf_counter(); 
    with p.connection.cursor() as c:
        c.execute("SET hub.erasing='on'")
        for tb in p.TABLES.split(", "): c.execute(f"DELETE FROM {tb}")
    print("del", (time.perf_counter()-t)*1e3)
