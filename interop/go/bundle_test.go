package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// written is a bundle that this test wrote itself, and the keys that signed it.
type written struct {
	dir    string
	vkey   string
	signer note.Signer
}

// writeBundle writes a bundle of two decisions out of a log of `size` entries with Go's own tree, so that it needs nothing of inferlog.
func writeBundle(t *testing.T, size int64) written {
	skey, vkey, err := note.GenerateKey(nil, origin)
	check(t, err)
	signer, err := note.NewSigner(skey)
	check(t, err)
	bundle := written{t.TempDir(), vkey, signer}
	bundle.fill(t, size, func(n int64) string {
		return fmt.Sprintf(`{"decision":"%d","events":[{"id":"%d"}],"v":1}`, n%2, n)
	})
	return bundle
}

// fill writes the bundle of a log of these entries, which are of decision 0, of decision 1, or of the system's life.
func (b written) fill(t *testing.T, size int64, entry func(int64) string) {
	var hashes []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		for _, index := range indexes {
			list = append(list, hashes[index])
		}
		return list, nil
	})
	for n := int64(0); n < size; n++ {
		stored, err := tlog.StoredHashes(n, []byte(entry(n)), own)
		check(t, err)
		hashes = append(hashes, stored...)
	}
	root, err := tlog.TreeHash(size, own)
	check(t, err)
	for decision, name := range map[string]string{"": "logs/0/system.json", "0": "decisions/0.json", "1": "decisions/1.json"} {
		told := provedEntries{Decision: decision}
		for n := int64(0); n < size; n++ {
			var of struct{ Decision string }
			check(t, json.Unmarshal([]byte(entry(n)), &of))
			if of.Decision != decision {
				continue
			}
			proof, err := tlog.ProveRecord(size, n, own)
			check(t, err)
			told.Entries = append(told.Entries, provedEntry{Entry: entry(n), Index: n, Proof: proof})
		}
		if len(told.Entries) > 0 {
			b.writeJSON(t, name, told)
		}
	}
	b.writeJSON(t, "bundle.json", facts{Decisions: 2, Format: 1, Logs: []logFacts{{origin, root, size}}})
	b.sign(t, "logs/0/checkpoint", fmt.Sprintf("%s\n%d\n%v\n", origin, size, root))
	write(t, filepath.Join(b.dir, "report.html"), []byte("<html></html>"))
	b.sum(t)
	b.state(t, "manifest", "inferlog bundle v1", "SHA256SUMS")
	b.state(t, "report.note", "inferlog bundle report v1", "report.html")
}

func (b written) writeJSON(t *testing.T, name string, value interface{}) {
	data, err := json.Marshal(value)
	check(t, err)
	write(t, filepath.Join(b.dir, name), data)
}

func (b written) sign(t *testing.T, name, text string) {
	signed, err := note.Sign(&note.Note{Text: text}, b.signer)
	check(t, err)
	write(t, filepath.Join(b.dir, name), signed)
}

func (b written) state(t *testing.T, name, domain, about string) {
	data, err := os.ReadFile(filepath.Join(b.dir, about))
	check(t, err)
	b.sign(t, name, fmt.Sprintf("%s\n%x\n", domain, sha256.Sum256(data)))
}

// sum writes SHA256SUMS anew, as anybody can who has no key.
func (b written) sum(t *testing.T) {
	var lines []string
	for _, name := range b.files(t) {
		if !unsummed[name] {
			data, err := os.ReadFile(filepath.Join(b.dir, name))
			check(t, err)
			lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(data), name))
		}
	}
	write(t, filepath.Join(b.dir, "SHA256SUMS"), []byte(strings.Join(lines, "")))
}

func (b written) files(t *testing.T) (names []string) {
	check(t, filepath.Walk(b.dir, func(name string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			inside, _ := filepath.Rel(b.dir, name) // it is inside
			names = append(names, filepath.ToSlash(inside))
		}
		return err
	}))
	sort.Strings(names)
	return names
}

// pack writes a ZIP file of the bundle, in an order that is not its own.
func (b written) pack(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "bundle.zip")
	file, err := os.Create(name)
	check(t, err)
	archive := zip.NewWriter(file)
	files := b.files(t)
	for at := len(files) - 1; at >= 0; at-- {
		member, err := archive.CreateHeader(&zip.FileHeader{Name: files[at], Method: uint16(at % 2 * 8)})
		check(t, err)
		data, err := os.ReadFile(filepath.Join(b.dir, files[at]))
		check(t, err)
		_, err = member.Write(data)
		check(t, err)
	}
	check(t, archive.Close())
	check(t, file.Close())
	return name
}

func TestAcceptsBundles(t *testing.T) {
	for _, size := range []int64{2, 3, 64, 257} {
		bundle := writeBundle(t, size)
		for _, name := range []string{bundle.dir, bundle.pack(t)} {
			found, err := verifyBundle(name, []string{bundle.vkey})
			if err != nil || found != (checked{8, 1, 2, int(size), 0}) {
				t.Errorf("size %d, %s: %v, %v", size, name, found, err)
			}
		}
	}
}

func TestRefusesEveryChangedFile(t *testing.T) {
	bundle := writeBundle(t, 10)
	for _, file := range bundle.files(t) {
		name := filepath.Join(bundle.dir, file)
		good, err := os.ReadFile(name)
		check(t, err)
		for at := 0; at < len(good); at += 7 {
			bad := append([]byte{}, good...)
			bad[at] ^= 1
			write(t, name, bad)
			if _, err := verifyBundle(bundle.dir, []string{bundle.vkey}); err == nil {
				t.Errorf("%s: a flipped bit in byte %d went unseen", file, at)
			}
		}
		check(t, os.Remove(name))
		if _, err := verifyBundle(bundle.dir, []string{bundle.vkey}); err == nil {
			t.Errorf("%s: missing, and unseen", file)
		}
		write(t, name, good)
	}
	write(t, filepath.Join(bundle.dir, "more"), []byte("more"))
	if _, err := verifyBundle(bundle.dir, []string{bundle.vkey}); err == nil {
		t.Error("an added file went unseen")
	}
}

// TestProofsStandAlone signs the list of files anew, as only the log can: what is left to find the change are the proofs.
func TestProofsStandAlone(t *testing.T) {
	table := []struct{ file, old, new, expected string }{
		{"decisions/1.json", `\"id\":\"3\"`, `\"id\":\"5\"`, "entry 3 of log 0"},
		{"decisions/1.json", `"index":3`, `"index":5`, "entry 5 of log 0"},
		{"decisions/1.json", `"log":0`, `"log":1`, "there is no log 1"},
		{"decisions/1.json", `{"decision":"1"`, `{"decision":"0"`, "of decision"},
		{"bundle.json", `"size":10`, `"size":11`, "bundle.json tells"},
		{"bundle.json", `"decisions":2`, `"decisions":3`, "3 decisions"},
		{"bundle.json", `"format":1`, `"format":2`, "format 2"},
		{"bundle.json", `"origin":"go.`, `"origin":"no.`, "logs/0/checkpoint"},
		{"logs/0/checkpoint", "\n10\n", "\n12\n", "logs/0/checkpoint"},
	}
	for _, change := range table {
		bundle := writeBundle(t, 10)
		name := filepath.Join(bundle.dir, change.file)
		good, err := os.ReadFile(name)
		check(t, err)
		bad := strings.Replace(string(good), change.old, change.new, 1)
		if bad == string(good) {
			t.Fatalf("%s has no %q: %s", change.file, change.old, good)
		}
		write(t, name, []byte(bad))
		bundle.sum(t)
		if _, err = verifyBundle(bundle.dir, []string{bundle.vkey}); err == nil {
			t.Errorf("%s: a list that nobody signed was believed: %v", change.file, err)
		}
		bundle.state(t, "manifest", "inferlog bundle v1", "SHA256SUMS")
		if _, err = verifyBundle(bundle.dir, []string{bundle.vkey}); err == nil || !strings.Contains(err.Error(), change.expected) {
			t.Errorf("%s: %q for %q: %v", change.file, change.new, change.old, err)
		}
	}
}

func TestBundlesNeedTheLogsOwnKey(t *testing.T) {
	bundle := writeBundle(t, 3)
	for _, vkey := range []string{writeBundle(t, 3).vkey, "", bundle.vkey + "x"} {
		if _, err := verifyBundle(bundle.dir, []string{vkey}); err == nil {
			t.Errorf("%q was believed", vkey)
		}
	}
	if _, err := verifyBundle(filepath.Join(bundle.dir, "none.zip"), []string{bundle.vkey}); err == nil || !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
}

// TestWhatWasErasedIsNotDisclosed discloses content before and after erasures that name its key or person, withhold it, or come too early.
func TestWhatWasErasedIsNotDisclosed(t *testing.T) {
	content := `{"decision":"0","events":[{"id":"a","kind":"inference","payloads":[{"key_id":"1.2","payload":"p"}],"subjects":["ada"]}],"v":1}`
	other := `{"decision":"1","events":[{"id":"b","kind":"inference","payloads":[{"key_id":"1.3","payload":"q"}]}],"v":1}`
	life := func(id, body string) string {
		return fmt.Sprintf(`{"events":[{"body":%s,"id":%q,"kind":"erasure"}],"v":1}`, body, id)
	}
	byKey := life("i", `{"keys":["1.2"],"phase":"intent"}`)
	byPerson := life("i", `{"phase":"intent","subjects":["ada"]}`)
	table := []struct {
		entries []string
		erased  int
	}{
		{[]string{content, other, byKey}, 1},
		{[]string{content, other, byPerson}, 1},
		{[]string{content, other, life("c", `{"intent":"i","keys":["1.2"],"phase":"completed"}`)}, 1},
		{[]string{content, other, life("i", `{"keys":["1.2","1.3"]}`)}, 2},
		{[]string{byKey, content, other}, 0},
		{[]string{content, other, life("w", `{"intent":"i","keys":["1.2"],"phase":"withheld"}`), byPerson}, 0},
		{[]string{content, other, life("w", `{"intent":"j","keys":["1.2"],"phase":"withheld"}`), byPerson}, 1},
		{[]string{content, other, life("i", `{"keys":["1.2"],"phase":"refused"}`)}, 0},
		{[]string{content, other, life("i", `{"keys":["9.9"],"phase":"intent","subjects":["grace"]}`)}, 0},
		{[]string{content, other, life("i", `"unreadable"`)}, 0},
	}
	for number, row := range table {
		bundle := writeBundle(t, 1)
		bundle.fill(t, int64(len(row.entries)), func(n int64) string { return row.entries[n] })
		found, err := verifyBundle(bundle.dir, []string{bundle.vkey})
		if err != nil || found.erased != row.erased {
			t.Errorf("%d: %+v, %v", number, found, err)
		}
		write(t, filepath.Join(bundle.dir, "openings/0.json"), []byte(`{"decision":"0","openings":[{"payload":"p"}]}`))
		bundle.fill(t, int64(len(row.entries)), func(n int64) string { return row.entries[n] })
		if _, err := verifyBundle(bundle.dir, []string{bundle.vkey}); (err != nil) != (row.erased > 0) {
			t.Errorf("%d, disclosed: %v", number, err)
		}
	}
}

// TestCountsWhatTheFrozenBundleLost reads the bundle that is kept for ever, of which one content was erased.
func TestCountsWhatTheFrozenBundleLost(t *testing.T) {
	frozen := filepath.Join("..", "..", "fixtures", "v1", "bundle")
	vkey, err := os.ReadFile(filepath.Join(frozen, "log.vkey"))
	check(t, err)
	found, err := verifyBundle(filepath.Join(frozen, "good.zip"), []string{strings.TrimSpace(string(vkey))})
	if err != nil || found != (checked{files: 23, logs: 1, decisions: 2, entries: 16, erased: 1}) {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestAcceptsTheBundleThatInferlogWrote runs the product itself; INFERLOG_BIN names its binary.
func TestAcceptsTheBundleThatInferlogWrote(t *testing.T) {
	home := t.TempDir()
	data, rootKey := filepath.Join(home, "data"), "file:"+filepath.Join(home, "root-key")
	inferlog(t, "demo", "--once", "--data", data, "--root-key", rootKey)
	vkey := strings.TrimSpace(inferlog(t, "keys", "vkey", "--data", data, "--system", "credit-scoring"))
	name := filepath.Join(home, "bundle.zip")
	inferlog(t, "export", "bundle", "--data", data, "--root-key", rootKey, "--system", "credit-scoring", "--disclose", "*", "--output", name)
	found, err := verifyBundle(name, []string{vkey})
	if err != nil || found.decisions < 300 || found.entries < 2*found.decisions || found.logs != 1 {
		t.Fatalf("%+v: %v", found, err)
	}
	unpacked := filepath.Join(home, "unpacked")
	archive, err := zip.OpenReader(name)
	check(t, err)
	defer archive.Close()
	for _, member := range archive.File {
		file, err := member.Open()
		check(t, err)
		data, err := io.ReadAll(file)
		check(t, err)
		write(t, filepath.Join(unpacked, member.Name), data)
	}
	if again, err := verifyBundle(unpacked, []string{vkey}); err != nil || again != found {
		t.Fatalf("unpacked: %+v: %v", again, err)
	}
	decisions, err := filepath.Glob(filepath.Join(unpacked, "decisions/*.json"))
	check(t, err)
	bundle := written{dir: unpacked}
	for _, name := range decisions[:3] {
		good, err := os.ReadFile(name)
		check(t, err)
		write(t, name, []byte(strings.Replace(string(good), `\"logged_at\":\"2`, `\"logged_at\":\"3`, 1)))
		bundle.sum(t)
		if _, err := verifyBundle(unpacked, []string{vkey}); err == nil || !strings.Contains(err.Error(), "manifest") {
			t.Errorf("%s: a change went unseen: %v", name, err)
		}
		write(t, name, good)
	}
}
