package inventory

// The raw structs are the shape of the YAML file: every value still as it was
// written, with its line. schema.json says the same for editors; a test holds
// the two together.

// at is a value and the line that it stands in; line 0 where it is absent.
type at[T any] struct {
	Line  int
	Value T
}

func (a at[T]) given() bool { return a.Line > 0 }

type rawInventory struct {
	Exchange at[string]          `yaml:"exchange"`
	Sites    at[[]at[rawSite]]   `yaml:"sites"`
	Links    at[[]at[rawLink]]   `yaml:"links"`
	Probes   at[[]at[rawProbe]]  `yaml:"probes"`
	Targets  at[[]at[rawTarget]] `yaml:"targets"`
	Viewers  at[[]at[rawViewer]] `yaml:"viewers"`
	Tests    at[[]at[rawTest]]   `yaml:"tests"`
}

type rawSite struct {
	Name     at[string]       `yaml:"name"`
	Switches at[[]at[string]] `yaml:"switches"`
}

type rawLink struct {
	Name    at[string]       `yaml:"name"`
	Between at[[]at[string]] `yaml:"between"`
	Members at[int]          `yaml:"members"`
	Hash    at[string]       `yaml:"hash"`
}

type rawNode struct {
	Name      at[string]       `yaml:"name"`
	Site      at[string]       `yaml:"site"`
	Switch    at[string]       `yaml:"switch"`
	Addresses at[[]at[string]] `yaml:"addresses"`

	ReflectorPort at[int] `yaml:"reflector_port"`
}

type rawProbe struct {
	rawNode
	Interface at[string]       `yaml:"interface"`
	KeySHA256 at[[]at[string]] `yaml:"key_sha256"`
	Drain     at[bool]         `yaml:"drain"`
	Stateless at[bool]         `yaml:"stateless"`
}

type rawTarget struct {
	rawNode
	Answers  at[[]at[string]] `yaml:"answers"`
	Stateful at[bool]         `yaml:"stateful"`
}

type rawViewer struct {
	Name      at[string]       `yaml:"name"`
	KeySHA256 at[[]at[string]] `yaml:"key_sha256"`
}

type rawTest struct {
	Name     at[string]       `yaml:"name"`
	Kind     at[string]       `yaml:"kind"`
	Every    at[string]       `yaml:"every"`
	Cron     at[string]       `yaml:"cron"`
	Interval at[string]       `yaml:"interval"`
	Count    at[int]          `yaml:"count"`
	Flows    at[string]       `yaml:"flows"` // a number or "auto"
	Port     at[int]          `yaml:"port"`
	Spacing  at[string]       `yaml:"spacing"`
	Timeout  at[string]       `yaml:"timeout"`
	Size     at[int]          `yaml:"size"`
	DF       at[bool]         `yaml:"df"`
	DSCP     at[int]          `yaml:"dscp"`
	Families at[[]at[int]]    `yaml:"families"`
	Sources  at[[]at[string]] `yaml:"sources"`
	Targets  at[[]at[string]] `yaml:"targets"`

	FirstVersion at[bool] `yaml:"first_version"`
}
