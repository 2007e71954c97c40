CREATE TABLE input (line TEXT);
.import /dev/stdin input
WITH RECURSIVE words (word, rest) AS (
    SELECT '', (SELECT line FROM input WHERE rowid = 2) || ' '
    UNION ALL
    SELECT substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1) FROM words WHERE rest <> ''
)
SELECT sum(CAST(word AS INTEGER)) FROM words;
