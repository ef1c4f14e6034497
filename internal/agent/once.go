package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// OnceSettings say what to measure now.
type OnceSettings struct {
	Settings
	// Targets are names of peers or addresses; all peers where empty.
	Targets []string
	// Test is the test to take the way of measuring from; the first of its kind
	// where empty. Kind is that of the test, or icmp, where empty.
	Test, Kind string
	// Count, Spacing, Size, Flows and DSCP take the place of the test's, where set.
	Count   int
	Spacing time.Duration
	Size    int
	Flows   int
	DSCP    *uint8
	// Port is the first source port of flows; ports that no test has where 0.
	Port uint16
	// ReflectorPort takes the place of the port at which targets reflect, where set.
	ReflectorPort uint16
	// JSON prints results as lines of JSON instead of a table.
	JSON bool
	// Progress is where to say how far the round is; nil for nowhere.
	Progress io.Writer
}

// defaultTest is how a target is measured that no configuration speaks of.
var defaultTest = inventory.Test{Name: "once", Kind: inventory.KindICMP, Count: 10, Spacing: time.Second,
	Timeout: 5 * time.Second, Size: 84, Families: []uint8{4, 6}}

// Once measures one round now and prints what came of it. Answered is false
// where a target did not answer at all.
func Once(ctx context.Context, s OnceSettings, out io.Writer, log *slog.Logger) (answered bool, err error) {
	part, err := s.part(ctx, log)
	if err != nil {
		return false, err
	}
	test, err := s.test(part)
	if err != nil {
		return false, err
	}
	pairs, unknown, err := s.pairs(ctx, part, test)
	if err != nil {
		return false, err
	}
	if part, pairs, err = within(part, pairs); err != nil {
		return false, err
	}
	source := s.Name
	if source == "" {
		source, _ = os.Hostname()
	}
	r := round{source: source, part: part, test: test, pairs: pairs, progress: s.Progress, log: log}
	measure, print := r.ping, printPings
	if test.Kind == inventory.KindSTAMP {
		measure, print = r.stamp, printFlows
	}
	results, err := measure(ctx)
	if err != nil {
		return false, err
	}
	for _, err := range unknown {
		log.Error(err.Error())
	}
	answered = unknown == nil && !slices.ContainsFunc(results, func(m measured) bool { return m.Received+m.Late == 0 })
	if s.JSON {
		return answered, printMeasured(json.NewEncoder(out), results)
	}
	return answered, print(out, source, results)
}

// measured is the result of one pair. Err says why something could not be sent.
type measured struct {
	ippm.Result
	Pair inventory.Pair
	Err  error
	// medians are those of each flow in each part of the round, by port.
	medians map[uint16][]float64
}

// round is what is to be measured once.
type round struct {
	source   string
	part     inventory.Part
	test     inventory.Test
	pairs    []inventory.Pair
	progress io.Writer
	log      *slog.Logger
}

// part is the configuration to go by: a file's, the server's, the last good
// one, or, where targets are given as addresses, none at all.
func (s OnceSettings) part(ctx context.Context, log *slog.Logger) (inventory.Part, error) {
	if s.InventoryFile != "" {
		inv, err := inventory.Load(s.InventoryFile)
		if err != nil {
			return inventory.Part{}, err
		}
		return partOf(inv, s.Settings)
	}
	part, err := s.currentPart(ctx, log)
	if err == nil || len(s.Targets) > 0 {
		return part, nil
	}
	return part, fmt.Errorf("there is nothing to measure: name an address by --target, or a configuration by --server or --inventory (%w)", err)
}

func (s Settings) currentPart(ctx context.Context, log *slog.Logger) (inventory.Part, error) {
	part, err := s.serverPart(ctx, log)
	if err == nil {
		return part, nil
	}
	kept, keptErr := loadConfig(s.configFile())
	if keptErr != nil {
		return part, fmt.Errorf("%w; %w", err, keptErr)
	}
	log.Warn("going by the last good configuration", "file", s.configFile(), "because", err)
	part, _, keptErr = readConfig(kept.Config)
	return part, keptErr
}

func (s Settings) configFile() string { return filepath.Join(s.State, "config.json") }

func (s Settings) serverPart(ctx context.Context, log *slog.Logger) (inventory.Part, error) {
	if s.Server == "" {
		return inventory.Part{}, errors.New("no server is named")
	}
	api, err := newAPI(s, log)
	if err != nil {
		return inventory.Part{}, err
	}
	_, _, body, err := api.config(ctx, "")
	if err != nil {
		return inventory.Part{}, err
	}
	part, _, err := readConfig(body)
	return part, err
}

func (s OnceSettings) test(part inventory.Part) (inventory.Test, error) {
	test, err := s.plan(part)
	if err != nil {
		return test, err
	}
	if err := s.fits(test.Kind); err != nil {
		return test, err
	}
	if s.Count > 0 {
		test.Count = s.Count
	}
	if s.Spacing > 0 {
		test.Spacing = s.Spacing
	}
	if s.Size > 0 {
		test.Size = s.Size
	}
	if s.Flows > 0 {
		test.Flows = s.Flows
	}
	if s.DSCP != nil {
		test.DSCP = *s.DSCP
	}
	if test.Port = s.Port; test.Kind == inventory.KindSTAMP && s.Port == 0 {
		test.Port, err = oncePort(part, test.Flows)
	}
	return test, err
}

// fits refuses what would do nothing in a test of that kind.
func (s OnceSettings) fits(kind string) error {
	if kind == inventory.KindSTAMP {
		return nil
	}
	for _, flag := range []struct {
		name  string
		given bool
	}{{"flows", s.Flows > 0}, {"port", s.Port > 0}, {"reflector-port", s.ReflectorPort > 0}} {
		if flag.given {
			return usage{fmt.Errorf("--%s is for tests of kind %s, and this is one of kind %s: add --kind %s, or leave it out",
				flag.name, inventory.KindSTAMP, kind, inventory.KindSTAMP)}
		}
	}
	return nil
}

// usage marks an error in what was asked for, not in the doing of it: programs
// end with another status.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// Usage is the mark.
func (usage) Usage() {}

// plan is the test that is named, or the first of its kind, or a common one
// where the configuration has none.
func (s OnceSettings) plan(part inventory.Part) (inventory.Test, error) {
	i := slices.IndexFunc(part.Tests, func(t inventory.Test) bool {
		return (s.Test == "" || t.Name == s.Test) && (s.Kind == "" && s.Test != "" || t.Kind == cmp.Or(s.Kind, inventory.KindICMP))
	})
	switch {
	case i >= 0 && part.Tests[i].Kind == inventory.KindSTAMP:
		return onceAsNow(part.Tests[i]), nil
	case i >= 0:
		return part.Tests[i], nil
	case s.Test != "":
		return inventory.Test{}, fmt.Errorf("there is no test %q%s in the configuration", s.Test, ofKind(s.Kind))
	case s.Kind == inventory.KindSTAMP:
		return defaultSTAMP, nil
	}
	return defaultTest, nil
}

func ofKind(kind string) string {
	if kind == "" {
		return ""
	}
	return " of kind " + kind
}

// pairs are what to measure, and an error for every target that means nothing;
// err says that nothing is left.
func (s OnceSettings) pairs(ctx context.Context, part inventory.Part, test inventory.Test) (pairs []inventory.Pair, unknown []error, err error) {
	known := s.reflectedAt(part.Pairs(test))
	if len(s.Targets) == 0 {
		if len(known) == 0 {
			return nil, nil, errors.New("the configuration has no target for this probe")
		}
		return known, nil, nil
	}
	for _, target := range s.Targets {
		found := pairsOf(known, target)
		if len(found) == 0 {
			if found, err = resolve(ctx, target); err != nil {
				unknown = append(unknown, err)
			}
			found = s.reflectedAt(found)
		}
		pairs = append(pairs, found...)
	}
	if len(pairs) == 0 {
		return nil, nil, errors.Join(unknown...)
	}
	return pairs, unknown, nil
}

// reflectedAt are the pairs with the port that is asked for.
func (s OnceSettings) reflectedAt(pairs []inventory.Pair) []inventory.Pair {
	for i := range pairs {
		pairs[i].ReflectorPort = cmp.Or(s.ReflectorPort, pairs[i].ReflectorPort)
	}
	return pairs
}

// within takes the zone of addresses such as fe80::1%eth0 (RFC 4007, section 11)
// for the interface to measure by, as sockets are bound to one, and lets the
// kernel choose the own address there.
func within(part inventory.Part, pairs []inventory.Pair) (inventory.Part, []inventory.Pair, error) {
	zone := ""
	for i, p := range pairs {
		ip, err := netip.ParseAddr(p.To)
		if err != nil || ip.Zone() == "" {
			continue
		}
		if zone != "" && ip.Zone() != zone || part.Interface != "" && part.Interface != ip.Zone() {
			return part, pairs, usage{fmt.Errorf("target %q is at another interface than %s: one round measures by one", p.To, cmp.Or(zone, part.Interface))}
		}
		zone = ip.Zone()
		pairs[i].To, pairs[i].From = ip.WithZone("").String(), ""
	}
	if zone != "" {
		part.Interface = zone
		part.Addresses = slices.DeleteFunc(slices.Clone(part.Addresses), func(a inventory.Address) bool { return a.Family == 6 })
	}
	return part, pairs, nil
}

func pairsOf(known []inventory.Pair, target string) []inventory.Pair {
	var found []inventory.Pair
	for _, p := range known {
		if p.Target == target || p.To == target {
			found = append(found, p)
		}
	}
	return found
}

// resolve makes pairs of an address or host name that no configuration knows:
// one per family.
func resolve(ctx context.Context, target string) ([]inventory.Pair, error) {
	ips, err := lookup(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("target %q is neither a name of the configuration nor an address nor a host name: %w", target, err)
	}
	byFamily := map[uint8]inventory.Pair{}
	for _, ip := range ips {
		ip = ip.Unmap()
		family := uint8(6)
		if ip.Is4() {
			family = 4
		}
		if _, known := byFamily[family]; !known {
			byFamily[family] = inventory.Pair{Target: target, Family: family, To: ip.String(), ReflectorPort: inventory.DefaultReflectorPort}
		}
	}
	var pairs []inventory.Pair
	for _, family := range []uint8{4, 6} {
		if pair, ok := byFamily[family]; ok {
			pairs = append(pairs, pair)
		}
	}
	return pairs, nil
}

// lookup gives the addresses of a host. That of an address is itself, with its
// zone, which a resolver leaves out.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
