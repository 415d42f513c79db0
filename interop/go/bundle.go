package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// What a proof needs of a bundle's JSON files (docs/bundle.md); other members are passed over.
type (
	facts struct {
		Decisions int        `json:"decisions"`
		Format    int        `json:"format"`
		Logs      []logFacts `json:"logs"`
	}
	logFacts struct {
		Origin string    `json:"origin"`
		Root   tlog.Hash `json:"root"`
		Size   int64     `json:"size"`
	}
	provedEntries struct {
		Decision string        `json:"decision"`
		Entries  []provedEntry `json:"entries"`
	}
	provedEntry struct {
		Entry string           `json:"entry"`
		Index int64            `json:"index"`
		Log   int              `json:"log"`
		Proof tlog.RecordProof `json:"proof"`
	}
)

// checked counts what a bundle was found to hold, and the contents of decisions whose keys an erasure of it destroyed.
type checked struct{ files, logs, decisions, entries, erased int }

// unsummed are the files that SHA256SUMS cannot list: two of them state its own hash or that of the page, which are the others.
var unsummed = map[string]bool{"SHA256SUMS": true, "manifest": true, "report.html": true, "report.note": true}

// isBundle says whether a path is a bundle, packed or unpacked, rather than the directory of a log.
func isBundle(name string) bool {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		_, err = os.Stat(filepath.Join(name, "bundle.json"))
	}
	return err == nil
}

// verifyBundle checks the hash of every file, the signatures of the manifest, the page's note and the checkpoints, and the
// inclusion proof of every entry; and that nothing is disclosed whose key an erasure destroyed. Contents are not opened:
// `inferlog verify --bundle` and verify.py hold them against their commitments.
func verifyBundle(name string, vkeys []string) (found checked, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return found, err
	}
	files := os.DirFS(name)
	if !info.IsDir() {
		archive, err := zip.OpenReader(name)
		if err != nil {
			return found, err
		}
		defer archive.Close()
		files = archive
	}
	verifiers, err := verifiersOf(vkeys)
	if err != nil {
		return found, err
	}
	bundle := bundle{files: files, verifiers: verifiers}
	if found.files, err = bundle.checkSums(); err != nil {
		return found, err
	}
	trees, decisions, err := bundle.checkNotes()
	if err != nil {
		return found, err
	}
	found.logs = len(trees)
	for number := range trees {
		if _, err := bundle.checkEntries(fmt.Sprintf("logs/%d/system.json", number), trees, &found); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
	}
	names, err := fs.Glob(files, "decisions/*.json")
	if err != nil {
		return found, err
	}
	for _, name := range names {
		decision, err := bundle.checkEntries(name, trees, &found)
		if err == nil && "decisions/"+decision+".json" != name {
			err = fmt.Errorf("%s: is of decision %q", name, decision)
		}
		if err != nil {
			return found, err
		}
		found.decisions++
	}
	if found.decisions != decisions {
		return found, fmt.Errorf("bundle.json: %d decisions, but there are %d", decisions, found.decisions)
	}
	return found, nil
}

type bundle struct {
	files     fs.FS
	verifiers []note.Verifier
	erasures  []erasure
}

// checkSums holds SHA256SUMS against the files: every one is listed, none is missing.
func (b *bundle) checkSums() (count int, err error) {
	sums, err := fs.ReadFile(b.files, "SHA256SUMS")
	if err != nil {
		return 0, err
	}
	var lines []string
	err = fs.WalkDir(b.files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		count++
		if unsummed[name] {
			return nil
		}
		file, err := b.files.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		hash := sha256.New()
		if _, err := io.Copy(hash, file); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", hash.Sum(nil), name))
		return nil
	})
	if err != nil {
		return count, err
	}
	sort.Slice(lines, func(i, j int) bool { return lines[i][66:] < lines[j][66:] })
	listed := strings.SplitAfter(string(sums), "\n")
	for number, line := range append(lines, "") {
		if number >= len(listed) || listed[number] != line {
			return count, fmt.Errorf("SHA256SUMS: line %d is not what the files give: %q", number+1, line)
		}
	}
	return count, nil
}

// checkNotes opens the checkpoint of every log, and the two notes that state hashes by the key of every log.
func (b *bundle) checkNotes() (trees []tlog.Tree, decisions int, err error) {
	var told facts
	if err := b.readJSON("bundle.json", &told); err != nil {
		return nil, 0, err
	}
	if told.Format != 1 || len(told.Logs) == 0 {
		return nil, 0, fmt.Errorf("bundle.json: format %d, %d logs", told.Format, len(told.Logs))
	}
	for number, log := range told.Logs {
		name := fmt.Sprintf("logs/%d/checkpoint", number)
		text, err := b.open(name, log.Origin)
		if err != nil {
			return nil, 0, err
		}
		tree, err := parseCheckpoint(text, log.Origin)
		if err == nil && (tree.N != log.Size || tree.Hash != log.Root) {
			err = errors.New("is not the one that bundle.json tells of")
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", name, err)
		}
		trees = append(trees, tree)
		for _, stated := range [][3]string{
			{"manifest", "inferlog bundle v1\n", "SHA256SUMS"},
			{"report.note", "inferlog bundle report v1\n", "report.html"},
		} {
			about, err := fs.ReadFile(b.files, stated[2])
			if err != nil {
				return nil, 0, err
			}
			text, err := b.open(stated[0], log.Origin)
			if err == nil && text != fmt.Sprintf("%s%x\n", stated[1], sha256.Sum256(about)) {
				err = fmt.Errorf("%s: states another hash than that of %s", stated[0], stated[2])
			}
			if err != nil {
				return nil, 0, err
			}
		}
	}
	return trees, told.Decisions, nil
}

// open reads a signed note that a key of this name signed.
func (b *bundle) open(name, origin string) (string, error) {
	data, err := fs.ReadFile(b.files, name)
	if err != nil {
		return "", err
	}
	var own []note.Verifier
	for _, verifier := range b.verifiers {
		if verifier.Name() == origin {
			own = append(own, verifier)
		}
	}
	signed, err := note.Open(data, note.VerifierList(own...))
	if err != nil {
		return "", fmt.Errorf("%s: %w (log %s)", name, err, origin)
	}
	for _, signature := range signed.Sigs {
		// The library takes any value of the bits that base64 leaves over.
		if _, err := base64.StdEncoding.Strict().DecodeString(signature.Base64); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	return signed.Text, nil
}

// checkEntries proves every entry of a file and judges what became of the contents; it returns the decision that the file is of.
func (b *bundle) checkEntries(name string, trees []tlog.Tree, found *checked) (string, error) {
	var told provedEntries
	if err := b.readJSON(name, &told); err != nil {
		return "", err
	}
	born := map[string]sealed{}
	for _, entry := range told.Entries {
		if entry.Log < 0 || entry.Log >= len(trees) {
			return "", fmt.Errorf("%s: there is no log %d", name, entry.Log)
		}
		tree := trees[entry.Log]
		leaf := tlog.RecordHash([]byte(entry.Entry))
		if err := tlog.CheckRecord(entry.Proof, tree.N, tree.Hash, entry.Index, leaf); err != nil {
			return "", fmt.Errorf("%s: entry %d of log %d: %w", name, entry.Index, entry.Log, err)
		}
		var of struct {
			Decision string      `json:"decision"`
			Events   []eventText `json:"events"`
		}
		if err := json.Unmarshal([]byte(entry.Entry), &of); err != nil || of.Decision != told.Decision {
			return "", fmt.Errorf("%s: entry %d of log %d is of decision %q (%v)", name, entry.Index, entry.Log, of.Decision, err)
		}
		found.entries++
		b.take(place{entry.Log, entry.Index}, told.Decision, of.Events, born)
	}
	return told.Decision, b.judge(name, told.Decision, born, found)
}

func (b *bundle) readJSON(name string, value interface{}) error {
	data, err := fs.ReadFile(b.files, name)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
