package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// What the entries of a bundle say of sealed content (docs/format.md, section 4), and of erasures (docs/record.md).
type (
	eventText struct {
		Body     json.RawMessage `json:"body"`
		ID       string          `json:"id"`
		Kind     string          `json:"kind"`
		Payloads []struct {
			First   string `json:"first"`
			Key     string `json:"key_id"`
			Payload string `json:"payload"`
		} `json:"payloads"`
		Subjects []string `json:"subjects"`
	}
	place struct {
		log   int
		index int64
	}
	erasure struct {
		place
		Intent   string   `json:"intent"`
		Keys     []string `json:"keys"`
		Phase    string   `json:"phase"`
		Subjects []string `json:"subjects"`
	}
	// sealed is content where it was recorded.
	sealed struct {
		place
		key      string
		subjects []string
	}
)

// take reads the events of an entry: content that was sealed and, in the life of a system, erasures.
func (b *bundle) take(at place, decision string, events []eventText, born map[string]sealed) {
	for _, event := range events {
		for _, reference := range event.Payloads {
			if _, known := born[reference.Payload]; reference.Key != "" && reference.First == "" && !known {
				born[reference.Payload] = sealed{at, reference.Key, event.Subjects}
			}
		}
		told := erasure{place: at, Intent: event.ID}
		// A body that cannot be read says nothing: the entry itself is proved.
		if decision == "" && event.Kind == "erasure" && json.Unmarshal(event.Body, &told) == nil {
			b.erasures = append(b.erasures, told)
		}
	}
}

// judge counts a decision's content whose key an erasure destroyed, and refuses it where it is disclosed.
func (b *bundle) judge(name, decision string, born map[string]sealed, found *checked) error {
	var told struct {
		Openings []struct {
			Payload string `json:"payload"`
		} `json:"openings"`
	}
	beside := strings.NewReplacer("decisions/", "openings/", "system.json", "openings.json").Replace(name)
	if err := b.readJSON(beside, &told); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, opening := range told.Openings {
		if content, known := born[opening.Payload]; known && b.isErased(content) {
			return fmt.Errorf("%s: payload %s is disclosed, though an erasure destroyed its key", beside, opening.Payload)
		}
	}
	for _, content := range born {
		if decision != "" && b.isErased(content) {
			found.erased++
		}
	}
	return nil
}

// isErased says whether an erasure names the key or a person, came later, and did not withhold the key. In another log it is
// later in any case: keys are the node's.
func (b *bundle) isErased(content sealed) bool {
	key, spared := []string{content.key}, map[string]bool{}
	for _, told := range b.erasures {
		if told.Phase == "withheld" && meet(told.Keys, key) {
			spared[told.Intent] = true
		}
	}
	for _, told := range b.erasures {
		destroys := told.Phase != "withheld" && told.Phase != "refused" && !spared[told.Intent]
		isLater := told.log != content.log || told.index > content.index
		if destroys && isLater && (meet(told.Keys, key) || meet(told.Subjects, content.subjects)) {
			return true
		}
	}
	return false
}

func meet(one, other []string) bool {
	for _, each := range one {
		for _, another := range other {
			if each == another {
				return true
			}
		}
	}
	return false
}
