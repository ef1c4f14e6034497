package show

import (
	"fmt"
	"net/http"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

// firstLast gives the newest pings of a source. A probe's key reads only what
// is its own, as it does in version 2.
func (v *Viewer) firstLast(w http.ResponseWriter, r *http.Request, caller access.Caller) {
	source := r.PathValue("name")
	if caller.Role == inventory.RoleProbe && caller.Name != source {
		access.WriteFirstVersionError(w, http.StatusForbidden, fmt.Sprintf("this key is probe %q's: it cannot read what %.63q measured", caller.Name, source))
		return
	}
	pings, err := v.Store.LastPings(r.Context(), source)
	if err != nil {
		v.Log.Error("the store could not be read", "error", err)
		access.WriteFirstVersionError(w, http.StatusServiceUnavailable, "the store cannot be read now; the server's log says why")
		return
	}
	if _, known := v.Inventory().Probe(source); !known && len(pings) == 0 {
		access.WriteFirstVersionError(w, http.StatusNotFound, fmt.Sprintf("nothing is known of a probe %.63q; /api/v1/conf/probes has the names", source))
		return
	}
	access.WriteFirstVersion(w, http.StatusOK, wire.FirstLast{Result: firstResult(v.Inventory(), source, pings)})
}

func firstResult(inv *inventory.Inventory, source string, pings []store.Ping) *wire.FirstResult {
	if len(pings) == 0 {
		return nil
	}
	result := &wire.FirstResult{Source: source}
	for _, p := range pings {
		if at := p.At.UTC(); at.After(result.Time) {
			result.Time = at
		}
		shown := wire.FirstMeasure{Name: p.Target, Proto: p.Family, Time: p.At.UTC(), Pinged: true, PingLoss: p.Loss}
		if host, ok := inv.Address(p.Target, p.Family); ok {
			shown.Address = &host
		}
		if p.RTT != nil {
			shown.PingMin, shown.PingMax, shown.PingAvg, shown.PingJitter = &p.RTT.Min, &p.RTT.Max, &p.RTT.Avg, &p.RTT.Jitter
		}
		result.Probes = append(result.Probes, shown)
	}
	return result
}
