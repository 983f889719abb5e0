def install(kernel, output, config):
    pass
