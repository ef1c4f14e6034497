package timestamp

// ByPayload are the options with stamps as kernels before Linux 6.13 give them.
func (o Options) ByPayload() Options { o.most = byPayload; return o }

// Unstamped are the options without stamps of the kernel.
func (o Options) Unstamped() Options { o.most = unstamped; return o }

// TakesIDs tells whether the kernel takes IDs by the control message for them,
// and whether by one that there is not.
func TakesIDs(family int) (known, unknown bool) {
	return takes(scmTSOptID, family), takes(9999, family)
}

// Saw makes the socket see a value of SO_RXQ_OVFL.
func (s *Socket) Saw(drops uint32) { s.drops.saw(drops) }
