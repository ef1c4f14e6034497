package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is what may explain a figure, and nothing that tells whose it is.
type machine struct {
	Cores     int    `json:"cores"`
	CPU       string `json:"cpu"`
	Kernel    string `json:"kernel"`
	MemoryMiB uint64 `json:"memory_mib"`
	// Disk is the kind of file system that the databases lay on.
	Disk string `json:"disk"`
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores (%s), %.0f GiB, Linux %s, %s", m.Cores, m.CPU, float64(m.MemoryMiB)/1024, m.Kernel, m.Disk)
}

// describe notes what is measured and where.
func (r *report) describe(ctx context.Context) error {
	commit, err := output(ctx, "git", "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return err
	}
	// What the benchmark itself writes changes nothing that it measures.
	changes, err := output(ctx, "git", "status", "--porcelain", "--", ".", ":!"+fullFile, ":!"+readme)
	if err != nil {
		return err
	}
	r.Commit, r.Dirty, r.Date, r.Go = commit, changes != "", time.Now().UTC().Truncate(time.Second), runtime.Version()
	r.Machine, err = thisMachine()
	return err
}

func thisMachine() (machine, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return machine{}, fmt.Errorf("uname: %w", err)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return machine{}, fmt.Errorf("sysinfo: %w", err)
	}
	return machine{Cores: runtime.NumCPU(), CPU: cpuModel(), Kernel: unix.ByteSliceToString(name.Release[:]),
		MemoryMiB: info.Totalram * uint64(info.Unit) >> 20, Disk: disk()}, nil
}

// cpuModel is empty where the kernel does not tell.
func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

// disk names the file systems of statfs(2) that one meets.
func disk() string {
	var fs unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &fs); err != nil {
		return "unknown file system"
	}
	names := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", 0x2fc12fc1: "zfs", 0x01021997: "9p"}
	if name, ok := names[int64(fs.Type)]; ok {
		return name
	}
	return fmt.Sprintf("file system %#x", fs.Type)
}

// output runs a command that takes no time to speak of.
func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
