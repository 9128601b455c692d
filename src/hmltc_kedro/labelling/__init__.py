"""Any number of documents, labelled with a trained model: file by file, a finished one never again."""
