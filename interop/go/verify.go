// Verify checks a log directory or an evidence bundle of inferlog with the reference tools of the Go checksum database
// (golang.org/x/mod/sumdb) and none of inferlog's own code: the signature, every entry against its leaf hash, every tile, the
// root, and proofs. Of a log whose beginning was pruned the tiles are all there: the entries that were kept are held against them.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
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
		fmt.Printf("ok files=%d logs=%d decisions=%d entries=%d erased=%d\n",
			found.files, found.logs, found.decisions, found.entries, found.erased)
		return
	}
	tree, err := verify(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
	begin, _ := first(os.Args[1]) // it was read before
	fmt.Printf("ok size=%d first=%d root=%v\n", tree.N, begin, tree.Hash)
}

func verify(dir string, vkeys []string) (tree tlog.Tree, err error) {
	if tree, err = readCheckpoint(dir, vkeys); err != nil {
		return tree, fmt.Errorf("checkpoint: %w", err)
	}
	begin, err := first(dir)
	if err != nil {
		return tree, err
	}
	var own hashes
	for _, tile := range tiles(tree.N) { // those of level 0 come first
		if tile.L == 0 {
			grow := own.grow
			if tile.N<<8 < begin {
				grow = own.growPruned
			}
			if own, err = grow(dir, tile); err != nil {
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

// first is the index of the first entry whose bundle is there: what the file `pruned` says, or zero where there is none.
func first(dir string) (begin int64, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "pruned"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err == nil {
		begin, err = strconv.ParseInt(strings.TrimSuffix(string(data), "\n"), 10, 64)
	}
	if err == nil && (begin <= 0 || begin%256 != 0 || fmt.Sprintf("%d\n", begin) != string(data)) {
		err = fmt.Errorf("%q is not the index of a bundle's first entry", data)
	}
	if err != nil {
		return 0, fmt.Errorf("pruned: %w", err)
	}
	return begin, nil
}

// growPruned adds the hashes of a full level-0 tile whose entries were purged: the root shows whether they are right. Those of
// the entries that were kept (index, length, entry; CRC-32C of all at the end) have to have their hashes there.
func (own hashes) growPruned(dir string, tile tlog.Tile) (hashes, error) {
	data, err := os.ReadFile(path(dir, tile))
	if err != nil || len(data) != 256*tlog.HashSize {
		return own, fmt.Errorf("%s: %d bytes, not 256 hashes (%v)", path(dir, tile), len(data), err)
	}
	leaf := func(position int64) (hash tlog.Hash) {
		copy(hash[:], data[position*tlog.HashSize:])
		return hash
	}
	for position := int64(0); position < 256; position++ {
		more, err := tlog.StoredHashesForRecordHash(tile.N<<8+position, leaf(position), own)
		if err != nil {
			return own, err
		}
		own = append(own, more...)
	}
	name := filepath.Join(dir, "kept", "entries", fmt.Sprintf("%010d", tile.N))
	kept, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return own, nil
	}
	if err != nil || len(kept) < 4 {
		return own, fmt.Errorf("%s: cannot be read, or is too short (%v)", name, err)
	}
	records := kept[:len(kept)-4]
	if crc32.Checksum(records, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(kept[len(records):]) {
		return own, fmt.Errorf("%s: its checksum does not hold", name)
	}
	for last := int64(-1); len(records) > 0; {
		if len(records) < 10 || len(records) < 10+int(binary.BigEndian.Uint16(records[8:])) {
			return own, fmt.Errorf("%s: ends within a record", name)
		}
		index, end := int64(binary.BigEndian.Uint64(records)), 10+int(binary.BigEndian.Uint16(records[8:]))
		if index>>8 != tile.N || index <= last || leaf(index&255) != tlog.RecordHash(records[10:end]) {
			return own, fmt.Errorf("%s: entry %d is not the one that was there", name, index)
		}
		last, records = index, records[end:]
	}
	return own, nil
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
