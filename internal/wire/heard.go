package wire

import (
	"encoding/base64"
	"time"

	"ixpqos/internal/ippm"
)

// Heard is what the posting probe's Session-Reflector received from one source
// in one interval of one test.
type Heard struct {
	Source  string    `json:"source" doc:"who sent it" minLength:"1" maxLength:"63"`
	Target  string    `json:"target" doc:"who received it: the probe that posts" minLength:"1" maxLength:"63"`
	Test    string    `json:"test" doc:"name of the test" minLength:"1" maxLength:"63"`
	Family  uint8     `json:"family" doc:"address family" enum:"4,6"`
	DSCP    uint8     `json:"dscp" doc:"DSCP that was sent" maximum:"63"`
	Start   time.Time `json:"start" doc:"beginning of the interval in which it was sent"`
	LengthS float64   `json:"length_s" doc:"length of the interval in seconds"`
	Flows   string    `json:"flows,omitempty" encoding:"base64" doc:"per source port: packets that were received and reflected"`
}

// FromHeard is what was heard as a probe posts it.
func FromHeard(h ippm.Heard) Heard {
	return Heard{Source: h.Source, Target: h.Target, Test: h.Test, Family: h.Family, DSCP: h.DSCP,
		Start: h.Start.UTC(), LengthS: h.Length.Seconds(), Flows: base64.StdEncoding.EncodeToString(ippm.EncodeHeardFlows(h.Flows))}
}

// Heard turns what was posted into ours and checks it.
func (w Heard) Heard() (ippm.Heard, error) {
	h := ippm.Heard{ID: w.id()}
	var err error
	if h.Length, err = duration("length_s", w.LengthS, time.Second); err != nil {
		return h, err
	}
	if h.Flows, err = unpack("flows", w.Flows, ippm.DecodeHeardFlows); err != nil {
		return h, err
	}
	return h, h.Check()
}

func (w Heard) id() ippm.ID {
	return ippm.ID{Series: ippm.Series{Source: w.Source, Target: w.Target, Test: w.Test, Family: w.Family, DSCP: w.DSCP}, Start: w.Start.UTC()}
}
