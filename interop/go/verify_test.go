package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "go.inferlog.example/log"

// writeLog writes a log directory with Go's own tree, so that this test needs nothing of inferlog.
func writeLog(t *testing.T, dir string, size int64) (vkey string) {
	var hashes []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		for _, index := range indexes {
			list = append(list, hashes[index])
		}
		return list, nil
	})
	bundles := map[int64][]byte{}
	for n := int64(0); n < size; n++ {
		entry := []byte(strings.Repeat(fmt.Sprintf("entry %d ", n), int(n%7)))
		stored, err := tlog.StoredHashes(n, entry, own)
		check(t, err)
		hashes = append(hashes, stored...)
		length := make([]byte, 2)
		binary.BigEndian.PutUint16(length, uint16(len(entry)))
		bundles[n/256] = append(append(bundles[n/256], length...), entry...)
	}
	for _, tile := range tiles(size) {
		data, err := tlog.ReadTileData(tile, own)
		check(t, err)
		write(t, path(dir, tile), data)
		if tile.L == 0 {
			write(t, strings.Replace(path(dir, tile), "/tile/0/", "/tile/entries/", 1), bundles[tile.N])
		}
	}
	root, err := tlog.TreeHash(size, own)
	check(t, err)
	skey, vkey, err := note.GenerateKey(nil, origin)
	check(t, err)
	signer, err := note.NewSigner(skey)
	check(t, err)
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%v\n", origin, size, root)}, signer)
	check(t, err)
	write(t, filepath.Join(dir, "checkpoint"), signed)
	return vkey
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name string, data []byte) {
	check(t, os.MkdirAll(filepath.Dir(name), 0o777))
	check(t, os.WriteFile(name, data, 0o666))
}

func TestAcceptsLogsOfEverySize(t *testing.T) {
	for _, size := range []int64{1, 2, 255, 256, 257, 512, 65536, 70000} {
		dir := t.TempDir()
		vkey := writeLog(t, dir, size)
		tree, err := verify(dir, []string{vkey})
		if err != nil || tree.N != size {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestRefusesEveryDamagedFile(t *testing.T) {
	dir := t.TempDir()
	vkey := writeLog(t, dir, 300)
	seen := 0
	check(t, filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		seen++
		good, err := os.ReadFile(name)
		check(t, err)
		for at := 0; at < len(good); at += 97 {
			bad := append([]byte{}, good...)
			bad[at] ^= 1
			write(t, name, bad)
			if _, err := verify(dir, []string{vkey}); err == nil {
				t.Errorf("%s: a flipped bit in byte %d went unseen", name, at)
			}
		}
		write(t, name, good[:len(good)-1])
		if _, err := verify(dir, []string{vkey}); err == nil {
			t.Errorf("%s: a lost byte went unseen", name)
		}
		write(t, name, good)
		return nil
	}))
	if _, err := verify(dir, []string{vkey}); err != nil || seen != 6 {
		t.Errorf("%d files; undamaged again: %v", seen, err)
	}
}

func TestRefusesOtherKeysAndOrigins(t *testing.T) {
	dir := t.TempDir()
	vkey := writeLog(t, dir, 3)
	if _, err := verify(dir, []string{writeLog(t, t.TempDir(), 3)}); err == nil {
		t.Error("another key was believed")
	}
	for _, text := range []string{"", "x", vkey + "x", "x" + vkey} {
		if _, err := verify(dir, []string{text}); err == nil {
			t.Errorf("%q was taken for a key", text)
		}
	}
}

// TestAcceptsTheLogThatInferlogWrote runs the product itself; INFERLOG_BIN names its binary.
func TestAcceptsTheLogThatInferlogWrote(t *testing.T) {
	home := t.TempDir()
	data, rootKey := filepath.Join(home, "data"), "file:"+filepath.Join(home, "root-key")
	inferlog(t, "demo", "--once", "--data", data, "--root-key", rootKey)
	vkey := strings.TrimSpace(inferlog(t, "keys", "vkey", "--data", data, "--system", "credit-scoring"))
	dirs, err := filepath.Glob(filepath.Join(data, "logs/credit-scoring/*/*"))
	check(t, err)
	if len(dirs) != 1 {
		t.Fatalf("logs: %q", dirs)
	}
	tree, err := verify(dirs[0], []string{vkey})
	// More than one full tile, and an erasure among the entries.
	if err != nil || tree.N <= 256 {
		t.Fatalf("%d entries: %v", tree.N, err)
	}
	name := filepath.Join(dirs[0], "tile/entries/000")
	bundle, err := os.ReadFile(name)
	check(t, err)
	bundle[len(bundle)/2] ^= 1
	write(t, name, bundle)
	if _, err := verify(dirs[0], []string{vkey}); err == nil {
		t.Error("a flipped bit went unseen")
	}
}

func inferlog(t *testing.T, arguments ...string) string {
	t.Helper()
	binary := os.Getenv("INFERLOG_BIN")
	if binary == "" {
		t.Fatal("set INFERLOG_BIN to the inferlog binary, or run `cargo xtask test interop`")
	}
	command := exec.Command(binary, arguments...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	check(t, err)
	return string(output)
}

// TestAcceptsTheLogThatInferlogPruned reads a frozen log whose first two bundles are gone but for two entries.
func TestAcceptsTheLogThatInferlogPruned(t *testing.T) {
	frozen := filepath.Join("..", "..", "fixtures", "v1", "audit", "pruned")
	vkey, err := os.ReadFile(filepath.Join(frozen, "vkey"))
	check(t, err)
	dirs, err := filepath.Glob(filepath.Join(frozen, "good/logs/credit/*/*"))
	check(t, err)
	if len(dirs) != 1 {
		t.Fatalf("logs: %q", dirs)
	}
	keys := []string{strings.TrimSpace(string(vkey))}
	tree, err := verify(dirs[0], keys)
	if begin, _ := first(dirs[0]); err != nil || tree.N != 777 || begin != 512 {
		t.Fatalf("%d entries from %d on: %v", tree.N, begin, err)
	}
	// Of what is left nothing may be changed, nor be said to be there that is not.
	for name, change := range map[string]func([]byte) []byte{
		"kept/entries/0000000000": func(data []byte) []byte { data[len(data)/2] ^= 1; return data },
		"tile/0/000":              func(data []byte) []byte { data[7] ^= 1; return data },
		"tile/entries/002":        func(data []byte) []byte { data[99] ^= 1; return data },
		"pruned":                  func([]byte) []byte { return []byte("256\n") },
		"./pruned":                func([]byte) []byte { return []byte("511\n") },
	} {
		copied := t.TempDir()
		copyTo(t, copied, dirs[0])
		data, err := os.ReadFile(filepath.Join(copied, name))
		check(t, err)
		write(t, filepath.Join(copied, name), change(data))
		if _, err := verify(copied, keys); err == nil {
			t.Errorf("%s: a change went unseen", name)
		}
	}
}

func copyTo(t *testing.T, to, from string) {
	t.Helper()
	check(t, filepath.Walk(from, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		if err == nil {
			write(t, filepath.Join(to, relative), data)
		}
		return err
	}))
}
