CREATE TABLE held (piece BLOB);
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
INSERT INTO held SELECT randomblob(1048576) FROM numbers;
