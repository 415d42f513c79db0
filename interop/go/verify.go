// Verify checks a log directory of inferlog with the reference tools of the Go checksum database (golang.org/x/mod/sumdb)
// and none of inferlog's own code: the signature, every entry against its leaf hash, every tile, the root, and proofs.
//
// Usage: verify DIR VKEY...
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: verify DIR VKEY...")
		os.Exit(2)
	}
	tree, err := verify(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
	fmt.Printf("ok size=%d root=%v\n", tree.N, tree.Hash)
}

func verify(dir string, vkeys []string) (tree tlog.Tree, err error) {
	if tree, err = readCheckpoint(dir, vkeys); err != nil {
		return tree, fmt.Errorf("checkpoint: %w", err)
	}
	if tree.N == 0 {
		if tree.Hash != sha256.Sum256(nil) {
			return tree, errors.New("checkpoint: size 0 without the root of the empty tree")
		}
		return tree, nil
	}
	// Every hash of the tree, from the entries alone.
	var hashes []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		for _, index := range indexes {
			list = append(list, hashes[index])
		}
		return list, nil
	})
	for _, tile := range tiles(tree.N) {
		if tile.L > 0 {
			continue
		}
		entries, err := readBundle(dir, tile)
		if err != nil {
			return tree, err
		}
		for i, entry := range entries {
			stored, err := tlog.StoredHashes(tile.N<<8+int64(i), entry, own)
			if err != nil {
				return tree, err
			}
			hashes = append(hashes, stored...)
		}
	}
	for _, tile := range tiles(tree.N) {
		expected, err := tlog.ReadTileData(tile, own)
		if err != nil {
			return tree, err
		}
		if data, err := os.ReadFile(path(dir, tile)); err != nil {
			return tree, err
		} else if !bytes.Equal(data, expected) {
			return tree, fmt.Errorf("%s: not the hashes of the log's entries", path(dir, tile))
		}
	}
	if root, err := tlog.TreeHash(tree.N, own); err != nil || root != tree.Hash {
		return tree, fmt.Errorf("checkpoint: root %v, but the entries have %v (%v)", tree.Hash, root, err)
	}
	return tree, checkProofs(dir, tree, own)
}

// readCheckpoint verifies the signed note and reads its text (c2sp.org/tlog-checkpoint).
func readCheckpoint(dir string, vkeys []string) (tree tlog.Tree, err error) {
	var verifiers []note.Verifier
	for _, vkey := range vkeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return tree, fmt.Errorf("%q: %w", vkey, err)
		}
		verifiers = append(verifiers, verifier)
	}
	data, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return tree, err
	}
	signed, err := note.Open(data, note.VerifierList(verifiers...))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != verifiers[0].Name() {
		return tree, fmt.Errorf("not a checkpoint of %s", verifiers[0].Name())
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || tree.N < 0 || strconv.FormatInt(tree.N, 10) != lines[1] {
		return tree, fmt.Errorf("bad tree size %q", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || copy(tree.Hash[:], root) != tlog.HashSize || len(root) != tlog.HashSize {
		return tree, fmt.Errorf("bad root hash %q", lines[2])
	}
	return tree, nil
}

// tiles lists the tiles of a tree; older versions of NewTiles add the partial ones of smaller trees.
func tiles(size int64) (list []tlog.Tile) {
	for _, tile := range tlog.NewTiles(8, 0, size) {
		if tile.W == 256 || int64(tile.W) == size>>(8*tile.L)&255 {
			list = append(list, tile)
		}
	}
	return list
}

// path is the name of a tile by c2sp.org/tlog-tiles, which leaves out the height.
func path(dir string, tile tlog.Tile) string {
	return filepath.Join(dir, strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
}

// readBundle reads the entries that belong to a level-0 tile.
func readBundle(dir string, tile tlog.Tile) (entries [][]byte, err error) {
	name := strings.Replace(path(dir, tile), "/tile/0/", "/tile/entries/", 1)
	data, err := os.ReadFile(name)
	for err == nil && len(data) >= 2 && len(data) >= 2+int(binary.BigEndian.Uint16(data)) {
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:end]), data[end:]
	}
	if err == nil && (len(data) > 0 || len(entries) != tile.W) {
		err = fmt.Errorf("%s: %d entries and %d bytes, not %d entries", name, len(entries), len(data), tile.W)
	}
	return entries, err
}
