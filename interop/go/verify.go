// Verify checks a log directory or an evidence bundle of inferlog with the reference tools of the Go checksum database
// (golang.org/x/mod/sumdb) and none of inferlog's own code: the signature, every entry against its leaf hash, every tile, the
// root, and proofs.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: verify DIR|BUNDLE VKEY...")
		os.Exit(2)
	}
	if isBundle(os.Args[1]) {
		found, err := verifyBundle(os.Args[1], os.Args[2:])
		if err != nil {
			fmt.Fprintln(os.Stderr, "verify:", err)
			os.Exit(1)
		}
		fmt.Printf("ok files=%d logs=%d decisions=%d entries=%d\n", found.files, found.logs, found.decisions, found.entries)
		return
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
	var own hashes
	for _, tile := range tiles(tree.N) { // those of level 0 come first
		if tile.L == 0 {
			if own, err = own.grow(dir, tile); err != nil {
				return tree, err
			}
		}
		expected, err := tlog.ReadTileData(tile, own)
		if err != nil {
			return tree, err
		}
		if data, err := os.ReadFile(path(dir, tile)); err != nil || !bytes.Equal(data, expected) {
			return tree, fmt.Errorf("%s: not the hashes of the log's entries (%v)", path(dir, tile), err)
		}
	}
	root, err := tlog.TreeHash(tree.N, own)
	if tree.N == 0 {
		root = sha256.Sum256(nil)
	}
	if err != nil || root != tree.Hash {
		return tree, fmt.Errorf("checkpoint: root %v, but the entries have %v (%v)", tree.Hash, root, err)
	}
	for _, n := range []int64{0, 1, 255, 256, 65535, 65536, tree.N / 2, tree.N - 2, tree.N - 1} {
		if err := checkProofs(tree, n, own); err != nil {
			return tree, fmt.Errorf("proofs of entry %d: %w", n, err)
		}
	}
	return tree, nil
}

// readCheckpoint verifies the signed note and reads its text, which begins with the log's origin (c2sp.org/tlog-checkpoint).
func readCheckpoint(dir string, vkeys []string) (tree tlog.Tree, err error) {
	verifiers, err := verifiersOf(vkeys)
	if err != nil {
		return tree, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return tree, err
	}
	signed, err := note.Open(data, note.VerifierList(verifiers...))
	if err != nil {
		return tree, err
	}
	return parseCheckpoint(signed.Text, verifiers[0].Name())
}

func verifiersOf(vkeys []string) (verifiers []note.Verifier, err error) {
	for _, vkey := range vkeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", vkey, err)
		}
		verifiers = append(verifiers, verifier)
	}
	return verifiers, nil
}

func parseCheckpoint(text, origin string) (tree tlog.Tree, err error) {
	if !strings.HasPrefix(text, origin+"\n") {
		return tree, fmt.Errorf("not of %s", origin)
	}
	return tlog.ParseTree([]byte("go.sum database tree" + strings.TrimPrefix(text, origin)))
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

// hashes are all hashes of a tree, made from its entries alone.
type hashes []tlog.Hash

func (own hashes) ReadHashes(indexes []int64) (list []tlog.Hash, err error) {
	for _, index := range indexes {
		list = append(list, own[index])
	}
	return list, nil
}

// grow adds the entries that belong to a level-0 tile.
func (own hashes) grow(dir string, tile tlog.Tile) (hashes, error) {
	name := strings.Replace(path(dir, tile), "/tile/0/", "/tile/entries/", 1)
	data, err := os.ReadFile(name)
	count := 0
	for ; err == nil && len(data) >= 2 && len(data) >= 2+int(binary.BigEndian.Uint16(data)); count++ {
		end := 2 + int(binary.BigEndian.Uint16(data))
		var more []tlog.Hash
		more, err = tlog.StoredHashes(tile.N<<8+int64(count), data[2:end], own)
		own, data = append(own, more...), data[end:]
	}
	if err == nil && (len(data) > 0 || count != tile.W) {
		err = fmt.Errorf("%s: %d entries and %d bytes, not %d entries", name, count, len(data), tile.W)
	}
	return own, err
}

// checkProofs proves entry n, and the tree that ends with it, to holders of the root. The tiles hold just these hashes.
func checkProofs(tree tlog.Tree, n int64, own hashes) error {
	if n < 0 || n >= tree.N {
		return nil
	}
	record, err := tlog.ProveRecord(tree.N, n, own)
	if err == nil {
		err = tlog.CheckRecord(record, tree.N, tree.Hash, n, own[tlog.StoredHashIndex(0, n)])
	}
	if err != nil {
		return err
	}
	older, err := tlog.ProveTree(tree.N, n+1, own)
	if err != nil {
		return err
	}
	root, _ := tlog.TreeHash(n+1, own) // reading own never fails
	return tlog.CheckTree(older, tree.N, tree.Hash, n+1, root)
}
