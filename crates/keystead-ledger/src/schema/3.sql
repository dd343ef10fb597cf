-- Version 3. What has to be sent is the coordinator's to remember, and it has no database: nothing ever wrote here.

DROP TABLE outbox;
