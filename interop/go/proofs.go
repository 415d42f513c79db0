package main

import (
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// reader reads the tiles of a log directory for tlog.TileHashReader, which checks them against the root.
type reader struct{ dir string }

func (r reader) Height() int                         { return 8 }
func (r reader) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (r reader) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		bytes, err := os.ReadFile(path(r.dir, tile))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

// checkProofs proves entries and smaller trees from the tiles, and holds the proofs against the hashes of the entries.
func checkProofs(dir string, tree tlog.Tree, own tlog.HashReader) error {
	tiles := tlog.TileHashReader(tree, reader{dir})
	for _, n := range []int64{0, 1, 255, 256, 65535, 65536, tree.N / 2, tree.N - 2, tree.N - 1} {
		if n < 0 || n >= tree.N {
			continue
		}
		leaf, err := own.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, n, tiles)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf[0])
		}
		if err != nil {
			return fmt.Errorf("inclusion of entry %d: %w", n, err)
		}
		smaller, err := tlog.TreeHash(n+1, own)
		if err != nil {
			return err
		}
		old, err := tlog.ProveTree(tree.N, n+1, tiles)
		if err == nil {
			err = tlog.CheckTree(old, tree.N, tree.Hash, n+1, smaller)
		}
		if err != nil {
			return fmt.Errorf("consistency with size %d: %w", n+1, err)
		}
	}
	return nil
}
