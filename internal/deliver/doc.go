// Package deliver brings a probe's batches to the API, whatever happens in
// between. A batch is first written to the spool, a folder with one file a
// batch, and the file is unlinked once the API has acknowledged it.
//
// What it promises: a batch that Append has taken is delivered at least once,
// oldest first, through crashes of the process or the host and through outages
// of any length that fit into the spool. Storage takes a batch twice without
// harm, so whenever it is not certain that a batch arrived, it is sent again.
// What can pass is no verdict: a batch that begins ahead of a clock, a file that
// cannot be read now and results that the API takes later wait for another try,
// and those behind them do not wait for it. While the disk takes nothing, batches
// wait in memory.
// What cannot be delivered is never lost in silence: files that are corrupt and
// results that the API refuses are set aside in a sub-folder, from which a person
// may send them again, and when space runs out what flows saw goes first, then
// the oldest batches, where that frees any; all of that is logged, and what is
// set aside and dropped is counted.
//
// A spool file is a line "ixpqos-spool SCHEMA CRC32C LENGTH" and the JSON that
// is posted. Its name is a counter, so that names sort by the time of appending
// whatever the clock does. A file that was set aside may be moved back into the
// spool folder: the next start delivers it.
package deliver
