module podledger/tests/servers/bigquery

go 1.26
