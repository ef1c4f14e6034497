package netns

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const preamble = `{"metainfo":{"version":"1"}},{"table":{"family":"inet","name":"t","handle":1}}`
	for _, tc := range []struct {
		out  string
		want []Counter
		err  string
	}{
		{`{"nftables":[` + preamble + `,{"counter":{"family":"inet","name":"c","table":"t","handle":1,"comment":"why","packets":7,"bytes":700}}]}`,
			[]Counter{{Family: "inet", Table: "t", Name: "c", Comment: "why", Packets: 7}}, ""},
		{`{"nftables":[` + preamble + `]}`, nil, ""},
		{`{"nftables":[{"counter":{"packets":"many"}}]}`, nil, "packets"},
		{`no such thing`, nil, "invalid character"},
	} {
		got, err := parse[Counter]([]byte(tc.out), "counter")
		if !slices.Equal(got, tc.want) || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %+v, %v; want %+v, %q", tc.out, got, err, tc.want, tc.err)
		}
	}
}
