package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
)

// entry is a line of the copy.
type entry struct {
	Partition int32           `json:"partition"`
	Offset    int64           `json:"offset"`
	Action    json.RawMessage `json:"action"`
}

// store is the copy, a file of entries.
type store struct {
	file    *os.File
	records int
	next    map[int32]int64 // for each partition the offset after the last one that is in the file
}

// openCopy reads what is there; a last line that a crash cut off goes.
func openCopy(path string) (*store, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	copied := &store{file: file, next: map[int32]int64{}}
	var whole int64
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // the end, with or without a piece of a line
			break
		}
		var found entry
		if err := json.Unmarshal(line, &found); err != nil {
			file.Close()
			return nil, err
		}
		copied.records++
		copied.next[found.Partition] = found.Offset + 1
		whole += int64(len(line))
	}
	if err := file.Truncate(whole); err != nil {
		file.Close()
		return nil, err
	}
	_, err = file.Seek(whole, 0)
	return copied, err
}

// add appends the records that are not there yet; they are on the disk when it returns.
func (s *store) add(records []*kgo.Record) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, record := range records {
		if record.Offset < s.next[record.Partition] {
			continue
		}
		if err := encoder.Encode(entry{record.Partition, record.Offset, record.Value}); err != nil {
			return err
		}
		s.next[record.Partition] = record.Offset + 1
		s.records++
	}
	if _, err := s.file.Write(lines.Bytes()); err != nil {
		return err
	}
	return s.file.Sync()
}

func (s *store) Close() error { return s.file.Close() }
