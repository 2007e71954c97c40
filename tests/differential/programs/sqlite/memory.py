# An in-memory database answers a query and reports a missing table.
import sqlite3
db = sqlite3.connect(":memory:")
db.execute("create table t(a, b)")
db.executemany("insert into t values(?, ?)", [(1, "x"), (2, None)])
print(db.execute("select * from t order by a desc").fetchall())
db.execute("select * from missing")
