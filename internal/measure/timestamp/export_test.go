package timestamp

// ByPayload are the options with stamps as kernels before Linux 6.13 give them.
func (o Options) ByPayload() Options { o.most = byPayload; return o }

// Unstamped are the options without stamps of the kernel.
func (o Options) Unstamped() Options { o.most = unstamped; return o }

// Saw makes the socket see a value of SO_RXQ_OVFL.
func (s *Socket) Saw(drops uint32) { s.drops.saw(drops) }
