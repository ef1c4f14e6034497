// Package influxd gives tests a real InfluxDB 2 to write to.
//
// It promises one server for each test process, which Main ends: a process of
// its own on a free loopback port, with its data in a temporary folder, which a
// test can stop, kill and start again on the same data. Where INFLUX_URL is set
// it is that server instead (with INFLUX_ORG and an operator's INFLUX_TOKEN),
// which no test may stop. Either way buckets have names of their own and are
// gone at the end of their test.
package influxd
