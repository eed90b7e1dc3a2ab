package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// Runs the script, and gives its result back where the runner looks for it.
func main() {
	vars := map[string]any{}
	if err := json.NewDecoder(os.Stdin).Decode(&vars); err != nil {
		vars = map[string]any{}
	}
	answer := []byte(nil)
	result, err := run(vars)
	if err != nil {
		answer = []byte("e" + err.Error())
	} else if result != nil {
		text, err := json.Marshal(result)
		if err != nil {
			answer = []byte(fmt.Sprintf("ethe script returned what is no JSON: %v", err))
		} else {
			answer = append([]byte("r"), text...)
		}
	}
	os.NewFile(3, "result").Write(answer)
}
