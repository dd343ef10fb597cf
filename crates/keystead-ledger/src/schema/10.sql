-- Version 10. The state has another form: it is replayed from the log.

DELETE FROM snapshots;
