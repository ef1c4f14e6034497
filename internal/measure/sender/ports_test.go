package sender

import (
	"fmt"
	"syscall"
	"testing"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/timestamp"
)

// TestPortsThatCannotBeUsedAreToldOnce, however many of them there are.
func TestPortsThatCannotBeUsedAreToldOnce(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, inventory.Part{})
	open := v.settings.Open
	v.settings.Open = func(o timestamp.Options) (Socket, error) {
		if o.Local.Port() == 50001 {
			return open(o)
		}
		return nil, fmt.Errorf("%v: %w", o.Local, syscall.EADDRNOTAVAIL)
	}
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
	told := v.troubles["flows of test flows"]
	if want := `test "flows": source port 50000 over IPv4: 198.18.0.1:50000: cannot assign requested address; ` +
		`source ports 50002 to 50003 over IPv4: 198.18.0.1:50002: cannot assign requested address`; told != want {
		t.Errorf("trouble %q; want %q", told, want)
	}
	v.settings.Open = open
	v.runInto(every)
	v.runOut()
	if len(v.troubles) > 0 {
		t.Errorf("troubles %v when it is over", v.troubles)
	}
}
