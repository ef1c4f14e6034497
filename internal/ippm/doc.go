// Package ippm is the vocabulary of the product: what a measurement between
// two hosts is called, what it counts, and how two of them become one. It is
// pure arithmetic. It opens nothing, knows no clock and imports no other
// package of the project.
//
// The terms follow the IETF's IP Performance Metrics: loss is RFC 7680 and
// RFC 6673, duplication RFC 5560, reordering RFC 4737, delay variation RFC
// 3393. All delays are microseconds, held as float64.
//
// What it promises: merging results gives what computing them from all their
// samples would have given. Counts, minimum and maximum are exact, percentiles
// come from the merged sketch and never from other percentiles, and where
// nothing was measured there is no value at all, neither zero nor NaN.
package ippm
