"""Any number of documents, labelled with a trained model: shard by shard, a finished one never again."""
