package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ixpqos/internal/inventory"
)

// FirstProbes is the first version's list of probes.
type FirstProbes struct {
	Probes []FirstProbe `json:"probes"`
}

// FirstProbe is one entry of the first version's list: a probe in one family.
type FirstProbe struct {
	Name    string `json:"name"`
	Proto   uint8  `json:"proto"`
	Address string `json:"address"`
}

// FromInventoryFirst is the first version's list of an inventory's probes, one
// entry for each probe and family. Targets are no part of it: every name on
// that list reports, and its clients ping all of it but themselves.
func FromInventoryFirst(inv *inventory.Inventory) FirstProbes {
	list := FirstProbes{Probes: []FirstProbe{}}
	for _, probe := range inv.Probes {
		for _, address := range probe.Addresses {
			list.Probes = append(list.Probes, FirstProbe{Name: probe.Name, Proto: address.Family, Address: address.Host})
		}
	}
	return list
}

// FirstStatus is the first version's answer to a post that is stored.
type FirstStatus struct {
	Status string `json:"status"`
}

// FirstError is every failure of the first version's interface.
type FirstError struct {
	Error string `json:"error"`
}

// FirstLast is the newest result of a source; null where there is none yet.
type FirstLast struct {
	Result *FirstResult `json:"result"`
}

// FirstResult has the names of what is posted, and the time.
type FirstResult struct {
	Source string         `json:"source"`
	Time   time.Time      `json:"time"`
	Probes []FirstMeasure `json:"probes"`
}

// FirstMeasure is the newest of one target and family. What was not measured is
// null, and so is the address of who is not in the inventory.
type FirstMeasure struct {
	Name       string    `json:"name"`
	Proto      uint8     `json:"proto"`
	Address    *string   `json:"address"`
	Time       time.Time `json:"time"`
	Pinged     bool      `json:"pinged"`
	PingMin    *float64  `json:"ping_min"`
	PingMax    *float64  `json:"ping_max"`
	PingAvg    *float64  `json:"ping_avg"`
	PingJitter *float64  `json:"ping_jitter"`
	PingLoss   float64   `json:"ping_loss"`
}

// FirstPost is what a client of the first version posts: what it pinged.
type FirstPost struct {
	Source string
	Pings  []FirstPing
	// Posted is the number of entries with a result, those of Bad too. An entry
	// that was not pinged has none.
	Posted int
	// Bad are the entries that cannot be read.
	Bad []FirstBad
}

// FirstPing is an entry of a post. Times are in milliseconds.
type FirstPing struct {
	// Index is the entry's place in the post, from 0.
	Index  int
	Target string
	Family uint8
	Loss   float64
	// RTT is nil where every ping was lost.
	RTT *FirstRTT
}

// FirstRTT are round-trip times in milliseconds.
type FirstRTT struct{ Min, Max, Avg, Jitter float64 }

// FirstBad is an entry that cannot be taken, and why. Name is empty where it has none.
type FirstBad struct {
	Index        int
	Name, Reason string
}

// String is the bad entry for a person.
func (b FirstBad) String() string {
	if b.Name == "" {
		return fmt.Sprintf("probes[%d]: %s", b.Index, b.Reason)
	}
	return fmt.Sprintf("probes[%d] (%.63q): %s", b.Index, b.Name, b.Reason)
}

// DecodeFirst reads a post of at most so many entries. Entries stand or fall one
// by one; an error means that the body as a whole cannot be read.
//
// An entry with "pinged": false says that its client does not know, and nothing
// else: the first version's crashes on a lost ping, and lists itself like that.
// Extra keys pass, keys are compared exactly, and the address is not needed. A
// number in quotes is none, as everywhere else in the API.
func DecodeFirst(body []byte, most int) (post FirstPost, err error) {
	var object firstObject
	if err := json.Unmarshal(body, &object); errors.As(err, new(*json.SyntaxError)) {
		return post, fmt.Errorf("the body is not JSON: %w", err)
	} else if err != nil || object == nil {
		return post, errors.New("the body is not a result: it is an object with source and probes")
	}
	if post.Source, err = object.text("source", "the name of the probe that posts"); err != nil {
		return post, err
	}
	var entries []json.RawMessage
	if json.Unmarshal(object["probes"], &entries) != nil || entries == nil {
		return post, object.wrong("probes", "the list of what was pinged")
	}
	if len(entries) > most {
		return post, fmt.Errorf("%w: %d, at most %d", ErrTooManyResults, len(entries), most)
	}
	for i, entry := range entries {
		post.add(i, entry)
	}
	return post, nil
}

func (p *FirstPost) add(index int, entry json.RawMessage) {
	var object firstObject
	err := json.Unmarshal(entry, &object)
	if err != nil || object == nil {
		err = errors.New("it is an object with name, proto, address and what was measured")
	}
	pinged, ping := false, FirstPing{Index: index}
	if err == nil {
		pinged, err = object.pinged()
	}
	if pinged {
		err = object.into(&ping)
	}
	switch {
	case err != nil:
		p.Posted++
		name, _ := object.text("name", "")
		p.Bad = append(p.Bad, FirstBad{index, name, err.Error()})
	case pinged:
		p.Posted++
		p.Pings = append(p.Pings, ping)
	}
}

// firstObject is an object with its keys as they were written: encoding/json
// would take "Name" for name in a struct.
type firstObject map[string]json.RawMessage

func (o firstObject) into(ping *FirstPing) (err error) {
	if ping.Target, err = o.text("name", "the name of the probe that was pinged"); err != nil {
		return err
	}
	proto, err := o.number("proto", "the number 4 or 6")
	if err == nil && proto != 4 && proto != 6 {
		err = o.wrong("proto", "the number 4 or 6")
	}
	if err != nil {
		return err
	}
	ping.Family = uint8(proto)
	if ping.Loss, err = o.number("ping_loss", "a fraction, 0 to 1"); err != nil {
		return err
	}
	if ping.Loss > 1 {
		return o.wrong("ping_loss", "a fraction, 0 to 1")
	}
	if ping.Loss == 1 {
		return nil // nothing came back: whatever the times are, they were not measured
	}
	ping.RTT = &FirstRTT{}
	for _, field := range []struct {
		key  string
		into *float64
	}{
		{"ping_min", &ping.RTT.Min}, {"ping_max", &ping.RTT.Max}, {"ping_avg", &ping.RTT.Avg}, {"ping_jitter", &ping.RTT.Jitter},
	} {
		if *field.into, err = o.number(field.key, "a number of milliseconds, 0 or more"); err != nil {
			return err
		}
	}
	return nil
}

func (o firstObject) given(key string) bool {
	raw := o[key]
	return len(raw) > 0 && string(raw) != "null"
}

func (o firstObject) text(key, meaning string) (s string, err error) {
	if !o.given(key) || json.Unmarshal(o[key], &s) != nil {
		return "", o.wrong(key, meaning)
	}
	return s, nil
}

// number is not negative.
func (o firstObject) number(key, meaning string) (n float64, err error) {
	if !o.given(key) || json.Unmarshal(o[key], &n) != nil || n < 0 {
		return 0, o.wrong(key, meaning)
	}
	return n, nil
}

func (o firstObject) pinged() (yes bool, err error) {
	if !o.given("pinged") || json.Unmarshal(o["pinged"], &yes) != nil {
		return false, o.wrong("pinged", "true or false")
	}
	return yes, nil
}

func (o firstObject) wrong(key, meaning string) error {
	if !o.given(key) {
		return fmt.Errorf("%s is missing; it is %s", key, meaning)
	}
	return fmt.Errorf("%s is %.60s; it is %s", key, o[key], meaning)
}
