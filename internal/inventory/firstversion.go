package inventory

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"ixpqos/internal/ippm"
)

// ParseFirstVersion reads the first version's probes.json and schedule.json as
// they are: keys that it does not know pass. A nil schedule is an absent file.
// The entries of a name, one for each protocol, become one probe. An absent or
// empty schedule is one test that pings as the first version's cron did.
func ParseFirstVersion(probesName string, probes []byte, scheduleName string, schedule []byte) (*Inventory, error) {
	inProbes := &problems{file: probesName}
	c := newChecker(scheduleName)
	c.inv.Probes = firstProbes(inProbes, probes)
	var entries []firstTest
	if schedule != nil {
		entries = firstSchedule(&c.problems, schedule)
	} else {
		c.file = probesName
	}
	if len(entries) == 0 {
		entries = []firstTest{usualCron}
	}
	return c.finish(c.firstTests(entries), inProbes)
}

// firstEntry is what may stand in probes.json once.
type firstEntry struct {
	name   string
	family uint8
}

func firstProbes(p *problems, text []byte) (probes []Probe) {
	f, root := openJSON(p, text)
	entries := f.list(root, "probes")
	if len(entries) == 0 && len(f.found) == 0 {
		f.add(f.line(root), "the inventory has no probe; list at least one under probes")
	}
	index, seen, looks := map[string]int{}, map[firstEntry]jsonValue{}, map[string]string{}
	for _, entry := range entries {
		name, address, ok := f.probe(entry)
		key := firstEntry{name, address.Family}
		if before, twice := seen[key]; ok && twice {
			f.add(f.line(entry), "probe %q: its proto %d is in line %d already", name, address.Family, f.line(before))
		}
		seen[key] = entry
		i, known := index[name]
		if !known {
			if other := looks[look(name)]; ok && other != "" {
				f.add(f.line(entry), "probe %+q: the name looks like that of probe %+q; %s", name, other, retype)
			}
			i = len(probes)
			index[name], looks[look(name)] = i, name
			probes = append(probes, Probe{Node: Node{Name: name, ReflectorPort: DefaultReflectorPort}})
		}
		probes[i].Addresses = append(probes[i].Addresses, address)
	}
	f.peers(f.line(root), len(probes))
	return probes
}

func (f jsonFile) probe(entry jsonValue) (name string, address Address, ok bool) {
	before := len(f.found)
	object, isObject := entry.members()
	if !isObject {
		f.add(f.line(entry), "a probe is %v; it is an object with name, proto and address", entry)
		return "", address, false
	}
	name = f.name(entry, object["name"])
	address.Family = f.proto(entry, name, object["proto"])
	address.Host = f.host(entry, name, address.Family, object["address"])
	return name, address, len(f.found) == before
}

func (f jsonFile) name(entry, v jsonValue) string {
	name, ok := v.text()
	if !ok {
		f.add(f.line(entry), "a probe has no name; it is a text of 1 to %d bytes", ippm.MaxName)
		return ""
	}
	if err := ippm.CheckName(name); err != nil {
		f.add(f.line(v), "probe %.80q: the name %v", name, err)
	}
	return name
}

func (f jsonFile) proto(entry jsonValue, name string, v jsonValue) uint8 {
	switch n, ok := v.number(); {
	case !v.given():
		f.add(f.line(entry), "probe %.80q: has no proto; it is the number 4 or 6", name)
	case !ok || n != 4 && n != 6:
		f.add(f.line(v), "probe %.80q: proto is %v; it is the number 4 or 6", name, v)
	default:
		return uint8(n)
	}
	return 0
}

func (f jsonFile) host(entry jsonValue, name string, family uint8, v jsonValue) string {
	host, ok := v.text()
	if !ok {
		f.add(f.line(entry), "probe %.80q: has no address; it is an IP address or a host name", name)
		return ""
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil && !isHostName(host):
		f.add(f.line(v), "probe %.80q: address %.80q is neither an IP address nor a host name", name, host)
	case err == nil && family != 0 && familyOf(ip.Unmap()) != family:
		f.add(f.line(v), "probe %.80q: address %s is not of proto %d", name, host, family)
	}
	return host
}

// isHostName accepts what a resolver may know, and refuses what was meant as an
// IP address: a name does not end in a number (RFC 3696, section 2).
func isHostName(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, label := range labels {
		if !isLabel(label) {
			return false
		}
	}
	_, err := strconv.Atoi(labels[len(labels)-1])
	return err != nil && len(host) <= 253
}

func isLabel(label string) bool {
	odd := func(r rune) bool { return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	return label != "" && len(label) <= 63 && !strings.ContainsFunc(label, odd) &&
		!strings.HasPrefix(label, "-") && !strings.HasSuffix(label, "-")
}
