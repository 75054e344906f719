"""The records of many nodes in one database, each exactly once, and questions to it."""
