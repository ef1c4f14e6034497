// Package sam is the functions under AWS SAM: the scripts that install the SAM
// CLI and what it runs in, and a test that drives them through a real `sam local
// start-api` into a real InfluxDB.
//
//	install   the SAM CLI, in a cache outside of the checkout, and Docker
//	daemon    a Docker daemon, where none runs
//	image     the image that functions run in, where Docker has none
//	bridge    where containers reach this machine
//	pack      what lies beside a bootstrap
//	run       all of it for a person: `make sam`
package sam
