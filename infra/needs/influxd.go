package needs

import (
	"os"
	"sync"
)

var findInfluxd = sync.OnceValues(func() (path string, err error) { return find("infra/influx/influxd") })

func lacksInfluxd() error {
	if os.Getenv("INFLUX_URL") != "" {
		return nil
	}
	_, err := findInfluxd()
	return err
}
